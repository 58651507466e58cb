package victim

import (
	"path"
	"regexp"
	"strings"
	"testing"
)

func TestGlob(t *testing.T) {
	for _, c := range []struct {
		glob, text string
		want       bool
	}{
		{"", "", true}, {"", "a", false}, {"a", "a", true}, {"a", "b", false}, {"*", "", true}, {"*", "abc", true},
		{"*", "a/b", false}, {"**", "a/b", true}, {"a*c", "abbc", true}, {"a*c", "abbd", false}, {"*b*", "abc", true},
		{"?", "a", true}, {"?", "", false}, {"?", "/", false}, {"app-*.scope", "app-firefox-12.scope", true},
		{"/a/**/z", "/a/b/c/z", true}, {"/a/**/z", "/a/z", false}, {"/a/*/z", "/a/b/c/z", false},
		{"**/*.scope", "/a/b/c.scope", true}, {"**x*y", "/a/xb/xcy", true}, {"*a*a*a*a", strings.Repeat("a", 300) + "b", false},
		{"[", "[", true}, {"\\", "\\", true},
	} {
		if got := Glob(c.glob).Match([]byte(c.text)); got != c.want {
			t.Errorf("%q on %q: %v", c.glob, c.text, got)
		}
	}
}

// FuzzGlob holds it against path.Match, which knows no **, and has other
// characters that mean something.
func FuzzGlob(f *testing.F) {
	f.Add("a*b?c", "axxbyc")
	f.Add("**/b*", "/a/b")
	f.Fuzz(func(t *testing.T, glob, text string) {
		got := Glob(glob).Match([]byte(text))
		if strings.ContainsAny(glob, "[\\") || strings.Contains(glob, "**") || !ascii(glob+text) {
			return
		}
		if want, err := path.Match(glob, text); err == nil && got != want {
			t.Errorf("%q on %q: %v, want %v", glob, text, got, want)
		}
	})
}

func ascii(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= 0x80 }) < 0
}

// texts plays the files of a process.
type texts map[Text]string

func (m texts) Text(which Text) []byte {
	s, ok := m[which]
	if !ok {
		return nil
	}
	return []byte(s)
}

func TestMark(t *testing.T) {
	anchored := regexp.MustCompile(`\A(?:java .*-jar /opt/.*)\z`)
	p := Process{PID: 9, UID: 1000, Flag: Detailed | LeadsSession, RssAnon: 40 << 20, Cgroup: []byte("/user.slice/user-1000.slice/session-2.scope")}
	p.SetName([]byte("java"))
	files := texts{Parent: "bash", Exe: "/usr/bin/java", Cmdline: "java -Xmx1g -jar /opt/a.jar", Environ: "A=1\x00XDG_SESSION_TYPE=wayland\x00"}
	for name, c := range map[string]struct {
		match Match
		want  bool
	}{
		"nothing":      {Match{}, true},
		"comm":         {Match{Comm: Literal("java")}, true},
		"another comm": {Match{Comm: OneOf{"jav", "javac"}}, false},
		"user":         {Match{Users: []uint32{0, 1000}}, true},
		"root":         {Match{Users: root}, false},
		"unit":         {Match{Unit: Glob("session-*.scope")}, true},
		"slice":        {Match{Slice: Literal("user-1000.slice")}, true},
		"cgroup":       {Match{Cgroup: Glob("/user.slice/**")}, true},
		"inside":       {Match{Inside: true}, false},
		"outside":      {Match{Outside: true}, true},
		"runtime":      {Match{Runtime: Glob("*")}, false},
		"container":    {Match{ID: Glob("*")}, false},
		"leader":       {Match{Leader: true}, true},
		"parent":       {Match{Parent: Literal("bash")}, true},
		"exe":          {Match{Exe: Glob("/usr/*/java")}, true},
		"cmdline":      {Match{Cmdline: anchored}, true},
		"part of it":   {Match{Cmdline: Literal("java")}, false},
		"environ":      {Match{Environ: Glob("XDG_SESSION_TYPE=*")}, true},
		"not whole":    {Match{Environ: Literal("A")}, false},
		"two":          {Match{Comm: Literal("java"), Users: root}, false},
	} {
		pol := Policy{Rules: []Rule{{Effect: Never, Match: c.match}}}
		pol.Mark(&p, files, 1<<30)
		if (p.Effect == Never) != c.want || (p.Rule == 1) != c.want {
			t.Errorf("%s: effect %v, rule %d", name, p.Effect, p.Rule)
		}
	}
	pol := Policy{Rules: []Rule{{Effect: Never, Match: Match{Exe: Glob("**")}}}}
	if pol.Mark(&p, texts{}, 1<<30); p.Effect != Usual {
		t.Error("a text that can not be read matches")
	}
}

// The first rule that matches holds, unless the process has outgrown it.
func TestMarkTakesTheFirst(t *testing.T) {
	comm := Match{Comm: Literal("a")}
	pol := Policy{Rules: []Rule{{Effect: Never, Match: comm, Below: 10}, {Effect: Last, Adjust: -5, Death: AsTree, Match: comm}, {Effect: First, Match: comm}}}
	p := Process{RssAnon: 5 << 20}
	p.SetName([]byte("a"))
	if pol.Mark(&p, texts{}, 100<<20); p.Effect != Never || p.Rule != 1 {
		t.Errorf("%v by %d", p.Effect, p.Rule)
	}
	p.RssAnon = 10 << 20
	if pol.Mark(&p, texts{}, 100<<20); p.Effect != Last || p.Rule != 2 || p.Adjust != -5 || p.Dies() != AsTree {
		t.Errorf("%v by %d", p.Effect, p.Rule)
	}
}

// TestMarkAllocates: the built-in rules and an expression, on the hot path.
func TestMarkAllocatesNothing(t *testing.T) {
	pol := Policy{Rules: append([]Rule{{Match: Match{Comm: regexp.MustCompile(`\A(?:py(thon)?[0-9.]*)\z`)}}}, BuiltIn()...)}
	p := Process{Cgroup: []byte("/kubepods.slice/kubepods-burstable-pod" + podUnder + ".slice/cri-containerd-" + id64 + ".scope")}
	p.SetName([]byte("worker"))
	if n := testing.AllocsPerRun(100, func() { pol.Mark(&p, nil, 1<<30) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkMark(b *testing.B) {
	pol := Policy{Rules: BuiltIn()}
	p := Process{Cgroup: []byte("/user.slice/user-1000.slice/user@1000.service/app.slice/app-gnome-firefox-4711.scope")}
	p.SetName([]byte("firefox"))
	b.ReportAllocs()
	for b.Loop() {
		pol.Mark(&p, nil, 1<<30)
	}
}

// TestBuiltIn says for processes of real machines what protects them.
func TestBuiltIn(t *testing.T) {
	const user, system, container = "/user.slice/user-1000.slice/", "/system.slice/", "/system.slice/docker-" + id64 + ".scope"
	pol := Policy{Rules: BuiltIn()}
	for _, c := range []struct {
		comm, cgroup string
		uid          uint32
		leader       bool
		mb           uint64
		want         Effect
	}{
		{"systemd", user + "user@1000.service/init.scope", 1000, true, 12, Never},
		{"(sd-pam)", user + "user@1000.service/init.scope", 1000, false, 4, Never},
		{"systemd-logind", system + "systemd-logind.service", 0, true, 8, Never},
		{"systemd-resolve", system + "systemd-resolved.service", 101, true, 12, Never},
		{"systemd-journal", system + "systemd-journald.service", 0, true, 600, Usual},
		{"dbus-daemon", system + "dbus.service", 100, true, 6, Never},
		{"dbus-broker", user + "user@1000.service/session.slice/dbus-broker.service", 1000, false, 6, Last},
		{"sshd", system + "ssh.service", 0, true, 8, Never},
		{"sshd", user + "session-2.scope", 1000, false, 8, Last},
		{"bash", user + "session-2.scope", 1000, true, 6, Last},
		{"bash", user + "session-2.scope", 1000, false, 6, Usual},
		{"agetty", "", 0, true, 2, Never},
		{"gnome-shell", user + "user@1000.service/session.slice/org.gnome.Shell@wayland.service", 1000, true, 300, Last},
		{"gnome-shell", user + "user@1000.service/session.slice/org.gnome.Shell@wayland.service", 1000, true, 512, Usual},
		{"containerd-shim", system + "containerd.service", 0, true, 14, Never},
		{"containerd", system + "containerd.service", 0, true, 60, Never},
		{"kubelet", system + "kubelet.service", 0, true, 90, Never},
		{"conmon", user + "user@1000.service/user.slice/libpod-conmon-" + id64 + ".scope", 1000, true, 3, Last},
		{"dpkg", user + "session-2.scope", 0, false, 30, Last},
		{"dpkg", user + "session-2.scope", 1000, false, 30, Usual},
		{"pause", container, 65535, true, 1, Never},
		{"pause", container, 65535, true, 100, Usual},
		{"sshd", container, 0, true, 8, Usual},
		{"nginx", container, 0, true, 8, Usual},
		{"sshd", user + "session-2.scope", 1000, false, 700, Usual},
		{"leak", user + "session-2.scope", 1000, false, 700, Usual},
	} {
		p := Process{UID: c.uid, RssAnon: c.mb << 20, Cgroup: []byte(c.cgroup)}
		p.SetName([]byte(c.comm))
		if c.leader {
			p.Flag |= LeadsSession
		}
		if pol.Mark(&p, texts{}, 1024<<20); p.Effect != c.want {
			t.Errorf("%s of %d in %s with %d MiB: %v by %d, want %v", c.comm, c.uid, c.cgroup, c.mb, p.Effect, p.Rule, c.want)
		}
	}
}

func TestFindBrood(t *testing.T) {
	table := make([]Process, 0, 64)
	add := func(name string, n int, ppid int32, adj int16, flag Flag) {
		for range n {
			p := Process{PID: int32(100 + len(table)), PPID: ppid, Adj: adj, Flag: Detailed | flag, RssAnon: 15 << 20}
			p.SetName([]byte(name))
			table = append(table, p)
		}
	}
	add("child", 10, 7, 0, Young)
	add("old", 12, 8, 0, 0)
	add("orphan", 20, 1, 0, Young)
	for i := range 10 {
		add("tab", 1, 9, int16(300+i), Young) // each adjusted by its browser
	}
	pol, q := Policy{}, Query{}
	b, ok := q.FindBrood(&pol, table, 8)
	if !ok || b != (Brood{7, 10, 150 << 20}) {
		t.Errorf("%+v %v", b, ok)
	}
	if b, ok := q.FindBrood(&pol, table, 11); ok {
		t.Errorf("%+v", b)
	}
	q.Bereaved = 9
	if b, ok := q.FindBrood(&pol, table, 11); !ok || b.Parent != 9 || b.Children != 10 {
		t.Errorf("%+v %v", b, ok)
	}
}

func TestGain(t *testing.T) {
	p := Process{Flag: Detailed, RssAnon: 100, RssShmem: 10, RssFile: 50, Swap: 10_000, Locked: 130}
	for _, c := range []struct {
		q    Query
		want uint64
	}{
		{Query{}, 100 + 10 + 10_000 + 20},
		{Query{SwapSaved: 700}, 100 + 10 + 3_000 + 20},
		{Query{SwapSaved: 2000}, 100 + 10 + 20},
		{Query{CountFile: true}, 100 + 10 + 10_000 + 50},
	} {
		if got := c.q.Gain(&p); got != c.want {
			t.Errorf("%+v: %d, want %d", c.q, got, c.want)
		}
	}
}
