package victim

import (
	"strings"
	"testing"
)

const (
	id64   = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	podUID = "8fbe9d1c-1f6a-4a5c-9c43-0a1b2c3d4e5f"
)

// podUnder is how the systemd driver writes the uid of a pod.
var podUnder = strings.ReplaceAll(podUID, "-", "_")

// Paths as the runtimes make them.
func TestParseCgroup(t *testing.T) {
	for _, c := range []struct{ path, want string }{
		{"/", ""},
		{"", ""},
		{"/init.scope", "unit 'init.scope'"},
		{"/system.slice/sshd.service", "unit 'sshd.service'"},
		{"/system.slice/system-getty.slice/getty@tty1.service", "unit 'getty@tty1.service'"},
		{"/user.slice/user-1000.slice/session-2.scope", "unit 'session-2.scope', user '1000'"},
		{"/user.slice/user-1000.slice/user@1000.service/init.scope", "unit 'init.scope', user '1000'"},
		{"/user.slice/user-1000.slice/user@1000.service/app.slice/app-gnome-firefox-4711.scope", "unit 'app-gnome-firefox-4711.scope', user '1000'"},
		{"/user.slice/user-1000.slice/user@1000.service/session.slice/org.gnome.Shell@wayland.service", "unit 'org.gnome.Shell@wayland.service', user '1000'"},
		{"/docker/" + id64, "docker container '" + id64 + "'"},
		{"/docker/" + id64 + "/system.slice/nginx.service", "docker container '" + id64 + "'"},
		{"/system.slice/docker-" + id64 + ".scope", "docker container '" + id64 + "'"},
		{"/system.slice/docker.service", "unit 'docker.service'"},
		{"/machine.slice/libpod-" + id64 + ".scope", "podman container '" + id64 + "'"},
		{"/machine.slice/libpod-" + id64 + ".scope/container", "podman container '" + id64 + "'"},
		{"/machine.slice/libpod-conmon-" + id64 + ".scope", "unit 'libpod-conmon-" + id64 + ".scope'"},
		{"/libpod_parent/libpod-" + id64, "podman container '" + id64 + "'"},
		{"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + id64 + ".scope", "podman container '" + id64 + "', user '1000'"},
		{"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + podUnder + ".slice/cri-containerd-" + id64 + ".scope",
			"containerd container '" + id64 + "', pod '" + podUID + "'"},
		{"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" + podUnder + ".slice/crio-" + id64 + ".scope",
			"cri-o container '" + id64 + "', pod '" + podUID + "'"},
		{"/kubepods.slice/kubepods-pod" + podUnder + ".slice/docker-" + id64 + ".scope", "docker container '" + id64 + "', pod '" + podUID + "'"},
		{"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + podUnder + ".slice", "pod '" + podUID + "'"},
		{"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podd41d8cd98f00b204e9800998ecf8427e.slice/crio-conmon-" + id64 + ".scope",
			"pod 'd41d8cd98f00b204e9800998ecf8427e', unit 'crio-conmon-" + id64 + ".scope'"},
		{"/kubepods/burstable/pod" + podUID + "/" + id64, "kubernetes container '" + id64 + "', pod '" + podUID + "'"},
		{"/kubepods/besteffort/pod" + podUID + "/crio-" + id64, "cri-o container '" + id64 + "', pod '" + podUID + "'"},
		{"/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/kubelet-kubepods-besteffort-pod" + podUnder + ".slice/cri-containerd-" + id64 + ".scope",
			"containerd container '" + id64 + "'"},
		{"/system.slice/containerd.service/kubepods-burstable-pod" + podUnder + ".slice:cri-containerd:" + id64, "containerd container '" + id64 + "', unit 'containerd.service'"},
		{"/lxc/web", "lxc container 'web'"},
		{"/lxc.payload.web/system.slice/nginx.service", "lxc container 'web'"},
		{"/lxc.monitor.web", ""},
		{"/machine.slice/machine-fedora.scope/payload/system.slice/httpd.service", "nspawn container 'fedora'"},
		{"/docker/short", ""},
		{"/system.slice/docker-short.scope", "unit 'docker-short.scope'"},
		{"/user.slice/user-what.slice/a.service", "unit 'a.service'"},
		{"/..\n/'", ""},
	} {
		h := ParseCgroup([]byte(c.path))
		if got := h.String(); got != c.want && strings.TrimSuffix(got, ", unit 'containerd.service'") != strings.TrimSuffix(c.want, ", unit 'containerd.service'") {
			t.Errorf("%s: %s, want %s", c.path, got, c.want)
		}
	}
}

func TestParseCgroupSlice(t *testing.T) {
	h := ParseCgroup([]byte("/user.slice/user-1000.slice/user@1000.service/app.slice/x.scope"))
	if string(h.Slice) != "app.slice" || h.User != 1000 || !h.HasUser {
		t.Errorf("%s, user %d", h.Slice, h.User)
	}
}

func FuzzParseCgroup(f *testing.F) {
	f.Add([]byte("/kubepods.slice/kubepods-burstable-pod" + podUnder + ".slice/cri-containerd-" + id64 + ".scope"))
	f.Add([]byte("/user.slice/user-4294967296.slice/x:y:z/lxc/a"))
	f.Fuzz(func(t *testing.T, path []byte) {
		h := ParseCgroup(path)
		for _, part := range [][]byte{h.Container, h.Pod, h.Unit, h.Slice} {
			if len(part) > 0 && !strings.Contains(string(path), string(part)) {
				t.Errorf("%q has no %q", path, part)
			}
		}
		if (h.Runtime == None) != (len(h.Container) == 0) {
			t.Errorf("%q: %v with container %q", path, h.Runtime, h.Container)
		}
		for _, c := range h.String() {
			if c < ' ' {
				t.Errorf("%q: not one line: %q", path, h.String())
			}
		}
	})
}
