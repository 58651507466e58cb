package kill

import (
	"testing"

	cgroups "github.com/containerd/cgroups/v3"
)

func TestParseStat(t *testing.T) {
	line := "4711 (a) b (c) R 12 4711 4711 0 -1 4194308 1 2 3 4 5 6 7 8 20 0 31 0 982133 1 2"
	s, ok := parseStat([]byte(line))
	want := stat{state: 'R', parent: 12, flags: 4194308, threads: 31, start: 982133}
	if !ok || s != want {
		t.Fatalf("%+v, %v, want %+v", s, ok, want)
	}
	if s.flags&taskExiting == 0 {
		t.Error("PF_EXITING was not seen")
	}
	for _, bad := range []string{"", "4711 (x)", "4711 (x) R 1 2", "4711 (x) RR 12 1 1 0 -1 4 1 2 3 4 5 6 7 8 20 0 31 0 9"} {
		if _, ok := parseStat([]byte(bad)); ok {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestParseStatus(t *testing.T) {
	s := parseStatus([]byte("Name:\tx\nTracerPid:\t7\nCoreDumping:\t1\nNSpid:\t4711\t1\nSigPnd:\t0000000000000100\nShdPnd:\t0000000000000000\n"))
	if want := (status{tracer: 7, dumping: true, killed: true, inner: 1, nested: true}); s != want {
		t.Fatalf("%+v, want %+v", s, want)
	}
	if s := parseStatus([]byte("SigPnd:\t0000000000000200\nTracerPid:\t0\nNSpid:\t4711\n")); s.killed || s.nested || s.tracer != 0 {
		t.Fatalf("%+v", s)
	}
}

func TestParseFdinfo(t *testing.T) {
	for text, want := range map[string]int{"pos:\t0\nflags:\t02000002\nmnt_id:\t15\nPid:\t4711\nNSpid:\t4711\n": 4711, "Pid:\t-1\n": -1} {
		if pid, ok := parseFdinfo([]byte(text)); !ok || pid != want {
			t.Errorf("%q: %d, %v", text, pid, ok)
		}
	}
	if _, ok := parseFdinfo([]byte("pos:\t0\neventfd-count: 0\n")); ok {
		t.Error("an eventfd passed for a pidfd")
	}
}

func TestPlacesOfAProcess(t *testing.T) {
	hybrid := arrange(map[string]string{"memory": "/m", "cpu": "/", "freezer": "/f"}, "/u", cgroups.Hybrid)
	want := places{
		unified: "/sys/fs/cgroup/unified/u", memory: "/sys/fs/cgroup/memory/m",
		freezer: "/sys/fs/cgroup/freezer/f", v1Freezer: "/sys/fs/cgroup/freezer",
	}
	if hybrid != want {
		t.Errorf("%+v, want %+v", hybrid, want)
	}
	v2 := arrange(nil, "/a/b", cgroups.Unified)
	if want := (places{unified: "/sys/fs/cgroup/a/b", memory: "/sys/fs/cgroup/a/b", cpu: "/sys/fs/cgroup/a/b"}); v2 != want {
		t.Errorf("%+v, want %+v", v2, want)
	}
	if root := arrange(nil, "/", cgroups.Unified); root != (places{}) {
		t.Errorf("the root is nobody's own: %+v", root)
	}
}

func TestFreed(t *testing.T) {
	for _, c := range []struct {
		name          string
		before, after Memory
		want          Freed
	}{
		{"own cgroup", Memory{Charge: 100, Charged: true, Alone: true}, Memory{Charge: 10, Charged: true}, Freed{90, ByCharge}},
		{"grew", Memory{Charge: 100, Charged: true, Alone: true}, Memory{Charge: 110, Charged: true}, Freed{0, ByCharge}},
		{"shared cgroup, attached", Memory{Resident: 50, Attached: true, Charge: 100, Charged: true}, Memory{Resident: 5, Attached: true}, Freed{45, ByResident}},
		{"let go", Memory{Resident: 50, Attached: true}, Memory{}, Freed{}},
	} {
		if got := freed(c.before, c.after); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("4711 (a) b (c) R 12 4711 4711 0 -1 4194308 1 2 3 4 5 6 7 8 20 0 31 0 982133 1 2"))
	f.Fuzz(func(_ *testing.T, line []byte) { parseStat(line) })
}

func FuzzParseStatus(f *testing.F) {
	f.Add([]byte("TracerPid:\t7\nCoreDumping:\t1\nNSpid:\t4711\t1\nSigPnd:\t0000000000000100\n"))
	f.Fuzz(func(_ *testing.T, text []byte) { parseStatus(text) })
}

func FuzzParseStatm(f *testing.F) {
	f.Add([]byte("1 2 3 4 5 6 7\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if m, ok := parseStatm(text); !ok && m != (statm{}) {
			t.Error(m)
		}
	})
}

func FuzzParseFdinfo(f *testing.F) {
	f.Add([]byte("Pid:\t-1\n"))
	f.Fuzz(func(_ *testing.T, text []byte) { parseFdinfo(text) })
}
