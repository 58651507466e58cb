package memory

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/lmkd/lmkd/pkg/pressure"
)

const mib = 1 << 20

// hierarchy is a directory that stands for cgroup v2, beside a meminfo of 4 GiB.
type hierarchy struct {
	t    *testing.T
	root string
}

func newHierarchy(t *testing.T) *hierarchy {
	h := &hierarchy{t, t.TempDir()}
	h.write("proc/meminfo", "MemTotal: 4194304 kB\nMemAvailable: 4000000 kB\nSwapTotal: 1048576 kB\nSwapFree: 1000000 kB\n")
	return h
}

func (h *hierarchy) write(name, text string) {
	h.t.Helper()
	path := filepath.Join(h.root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		h.t.Fatal(err)
	}
}

// cgroup writes the files of one; sizes in MiB, limits as the kernel shows them.
func (h *hierarchy) cgroup(path, most, high string, current, swapped int, swapMax string) {
	dir := "cg" + path + "/"
	h.write(dir+"memory.max", most+"\n")
	h.write(dir+"memory.high", high+"\n")
	h.write(dir+"memory.current", fmt.Sprintln(current*mib))
	h.write(dir+"memory.swap.current", fmt.Sprintln(swapped*mib))
	h.write(dir+"memory.swap.max", swapMax+"\n")
	h.write(dir+"memory.events", "low 0\nhigh 71\nmax 3\noom 2\noom_kill 1\n")
	h.write(dir+"memory.pressure", "some avg10=12.50 avg60=1.00 avg300=0.10 total=5000\nfull avg10=10.00 avg60=0.50 avg300=0.05 total=4000\n")
	h.write(dir+"memory.stat", fmt.Sprintf("anon %d\nfile %d\nshmem %d\nfile_dirty %d\nfile_writeback 0\n"+
		"inactive_file %d\nactive_file %d\nslab_reclaimable %d\nworkingset_refault_anon 5\nworkingset_refault_file 7\n"+
		"pgscan 100\npgscan_kswapd 60\npgscan_direct 40\npgmajfault 9\n", 60*mib, 24*mib, 4*mib, 2*mib, 15*mib, 5*mib, 1*mib))
}

func (h *hierarchy) open(path string) (*Cgroups, *Cgroup) {
	h.t.Helper()
	all, err := OpenCgroups(h.root, filepath.Join(h.root, "cg"))
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(all.Close)
	g, err := all.Open(path)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(g.Close)
	return all, g
}

func (h *hierarchy) sample(g *Cgroup) (s pressure.Sample) {
	h.t.Helper()
	if err := g.Sample(time.Second, &s); err != nil {
		h.t.Fatal(err)
	}
	return s
}

// A cgroup is a machine whose memory is its limit: the least of its own and its
// ancestors'.
func TestCgroup(t *testing.T) {
	h := newHierarchy(t)
	h.cgroup("/a", "max", "96000000", 88, 0, "max")
	h.cgroup("/a/b", "209715200", "max", 50, 3, "8388608")
	_, g := h.open("/a/b")
	s := h.sample(g)
	room := uint64(96000000 - 88*mib)
	m := &s.Memory
	if m.Total != 96000000 || m.Free != room || m.Available != room+(15+5-2+1)*mib {
		t.Errorf("total %d, free %d, available %d", m.Total, m.Free, m.Available)
	}
	if m.SwapTotal != 8*mib || m.SwapFree != 5*mib {
		t.Errorf("swap %d of %d free", m.SwapFree, m.SwapTotal)
	}
	c := &s.Counters
	if c.PgscanDirect != 40 || c.PgscanKswapd != 0 || c.Refault != 7 || c.SwapIn != 5 || c.MajorFaults != 9 || c.OOMKill != 1 || c.FileLRU != 20*mib/uint64(os.Getpagesize()) {
		t.Errorf("counters %+v", *c)
	}
	if s.Stall.FullTotal != 4000 || s.Stall.SomeAvg10 != 1250 || s.Has != pressure.HasAvailable|pressure.HasStall|pressure.HasRefault {
		t.Errorf("stall %+v, has %b", s.Stall, s.Has)
	}
	if ram, swap := g.Machine(); ram != 4096*mib || swap != 1024*mib {
		t.Errorf("machine %d, %d", ram, swap)
	}
}

// The limits are read anew at each look.
func TestCgroupLimitChanges(t *testing.T) {
	h := newHierarchy(t)
	h.cgroup("/a", "max", "max", 50, 0, "max")
	_, g := h.open("/a")
	s := h.sample(g)
	if m := &s.Memory; m.Total != 4096*mib || m.Free != m.Total || m.Available != m.Total {
		t.Errorf("without a limit: %d of %d available", m.Available, m.Total)
	}
	h.write("cg/a/memory.max", "67108864\n")
	s = h.sample(g)
	if m := &s.Memory; m.Total != 64*mib || m.Free != 14*mib {
		t.Errorf("with a limit: %d free of %d", m.Free, m.Total)
	}
	h.write("cg/a/memory.high", "0\n")
	s = h.sample(g)
	if m := &s.Memory; m.Total != 0 || m.Available != 0 {
		t.Errorf("with a limit of 0: %d available of %d", m.Available, m.Total)
	}
}

func TestCgroupAllocatesNothing(t *testing.T) {
	h := newHierarchy(t)
	h.cgroup("/a", "max", "96000000", 88, 0, "max")
	h.cgroup("/a/b", "209715200", "max", 50, 3, "8388608")
	_, g := h.open("/a/b")
	var s pressure.Sample
	if n := testing.AllocsPerRun(10, func() { _ = g.Sample(0, &s) }); n != 0 {
		t.Errorf("%v allocations in a sample", n)
	}
}

// Readers below one ancestor share its descriptors, and the last one closes them.
func TestCgroupsShareAncestors(t *testing.T) {
	h := newHierarchy(t)
	for _, path := range []string{"/a", "/a/b", "/a/c"} {
		h.cgroup(path, "max", "max", 1, 0, "max")
	}
	all, b := h.open("/a/b")
	c, err := all.Open("/a/c")
	if err != nil || len(all.levels) != 3 || all.levels["/a"].users != 2 {
		t.Fatalf("%d levels, %v", len(all.levels), err)
	}
	all.Renew("/a/c")
	again, err := all.Open("/a/c")
	if err != nil || again.levels[0] == c.levels[0] {
		t.Error("a cgroup made anew has the limits of the one before: ", err)
	}
	for _, g := range []*Cgroup{b, c, again} {
		g.Close()
	}
	if len(all.levels) != 0 {
		t.Errorf("%d levels are left", len(all.levels))
	}
}

// A cgroup whose files are not there is no domain.
func TestCgroupWithoutMemoryFiles(t *testing.T) {
	h := newHierarchy(t)
	h.cgroup("/a", "max", "max", 1, 0, "max")
	h.write("cg/b/cgroup.procs", "")
	all, _ := h.open("/a")
	if _, err := all.Open("/b"); err == nil {
		t.Error("a cgroup without the memory controller was opened")
	}
	_, g := h.open("/a")
	h.write("cg/a/memory.stat", "anon many\ninactive_file x\n")
	var s pressure.Sample
	if err := g.Sample(0, &s); err == nil {
		t.Error("nonsense was read")
	}
}
