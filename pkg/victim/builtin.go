package victim

// hogShare is the share of RAM, in percent, from which on nothing but init and
// the daemon itself is protected by what comes with this package.
const hogShare = 50

// smallShare is the same for what is small by nature: a shell of a twentieth of
// RAM runs something of its own that eats.
const smallShare = 5

// root is who runs what only an administrator can start. A name alone is
// nothing: every process can take any.
var root = []uint32{0}

// BuiltIn gives the rules that stand behind those of a configuration: what
// keeps a machine, its sessions and its containers together. docs/victims.md
// says why for each.
func BuiltIn() []Rule {
	rules := []Rule{
		{Name: "the sandbox of a pod", Effect: Never, Below: 1, WithPod: true, Match: Match{
			Comm: OneOf{"pause", "catatonit"}, Inside: true, Leader: true}},
		{Name: "a process in a container", Effect: Usual, Match: Match{Inside: true}},
		{Name: "a manager of systemd", Effect: Never, Match: Match{Unit: Literal("init.scope"), Comm: OneOf{"systemd", "(sd-pam)"}}},
		{Name: "a service of systemd's own", Effect: Never, Match: Match{
			Slice: Literal("system.slice"), Unit: Glob("systemd-*.service")}},
		{Name: "the message bus", Effect: Never, Match: Match{
			Slice: Literal("system.slice"), Unit: OneOf{"dbus.service", "dbus-broker.service"}}},
		{Name: "a daemon that the machine hangs on", Effect: Never, Match: Match{Comm: daemons, Users: root}},
		{Name: "a container runtime", Effect: Never, Match: Match{Comm: runtimes, Users: root}},
		{Name: "a package manager", Effect: Last, Match: Match{Comm: installers, Users: root}},
		{Name: "a display server or a session's manager", Effect: Last, Match: Match{Comm: sessions}},
		{Name: "what a session stands on", Effect: Last, Below: smallShare, Match: Match{Comm: helpers}},
		{Name: "a container's monitor", Effect: Last, Match: Match{Comm: runtimes}},
		{Name: "a shell that leads a session", Effect: Last, Below: smallShare, Match: Match{Comm: shells, Leader: true}},
		{Name: "the leader of a login session", Effect: Last, Below: smallShare, Match: Match{Unit: Glob("session-*.scope"), Leader: true}},
	}
	for i := range rules {
		if rules[i].Below == 0 && rules[i].Effect != Usual {
			rules[i].Below = hogShare
		}
	}
	return rules
}

// The names, cut to the 15 bytes that the kernel keeps.
var (
	daemons = Globs{
		"systemd", "systemd-*", "(sd-pam)", "dbus-daemon", "dbus-broker", "dbus-broker-lau",
		"udevd", "elogind", "elogind-daemon", "seatd", "sshd", "sshd-session", "sshd-auth", "dropbear", "agetty",
		"login", "polkitd", "NetworkManager", "wpa_supplicant", "dhcpcd", "dhclient", "rsyslogd", "lmkd",
		"runit", "runsvdir", "runsv", "s6-svscan", "s6-supervise", "dinit", "openrc-run", "supervise-daemo",
	}
	runtimes = Globs{
		"containerd", "containerd-shim*", "dockerd", "docker-proxy", "conmon", "conmonrs", "crun", "runc", "runc:*",
		"youki", "kubelet", "crio", "lxc-start", "lxcfs", "incusd", "lxd",
	}
	installers = OneOf{
		"dpkg", "apt", "apt-get", "aptitude", "unattended-upgr", "rpm", "dnf", "dnf5", "yum", "microdnf",
		"zypper", "pacman", "apk", "emerge", "xbps-install", "packagekitd", "rpm-ostree", "swupd",
	}
	sessions = Globs{
		"Xorg", "X", "Xwayland", "gnome-shell", "gnome-session*", "mutter*", "kwin_wayland", "kwin_x11", "ksmserver",
		"plasma_session", "startplasma-*", "sway", "Hyprland", "hyprland", "river", "wayfire", "labwc", "niri", "weston",
		"cage", "cosmic-comp", "cosmic-session", "cinnamon", "cinnamon-sessi*", "muffin", "xfce4-session", "xfwm4",
		"marco", "mate-session", "lxsession", "lxqt-session", "openbox", "i3", "bspwm", "awesome", "dwm",
		"gdm*", "sddm*", "lightdm", "greetd", "lxdm", "xdm",
	}
	helpers = Globs{
		"dbus-daemon", "dbus-broker", "dbus-broker-lau",
		"pipewire", "wireplumber", "sshd", "sshd-session", "mosh-server", "tmux: server", "screen", "SCREEN",
	}
	shells = OneOf{"sh", "bash", "zsh", "fish", "dash", "ash", "ksh", "mksh", "tcsh", "csh", "nu", "elvish", "xonsh", "-bash", "-sh"}
)
