package process

import (
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/internal/sys/systest"
	"github.com/lmkd/lmkd/internal/taskiter"
	"github.com/lmkd/lmkd/pkg/victim"
)

// tasks opens a task iterator where the kernel has what it needs.
func tasks(t testing.TB) *taskiter.Iter {
	t.Helper()
	it, err := taskiter.Open()
	if err != nil {
		t.Skipf("NOT TESTED: %v: %s", err, taskiter.Cure)
	}
	t.Cleanup(func() {
		if err := it.Close(); err != nil {
			t.Error(err)
		}
	})
	return it
}

// Among the same live processes both ways through phase one choose alike: hogs,
// one of a worse class, a crowd, a zombie, and a group whose leader has exited.
func TestLiveWalkChoosesAlike(t *testing.T) {
	it := tasks(t)
	n := systest.New(t)
	n.Crowd(50)
	exit(t, n, n.Fork())
	orphan, _ := n.Program()
	n.Tell(orphan, "leave")
	hogs := []int{hog(t, "hog-a"), hog(t, "hog-b"), hog(t, "hog-c")}
	if err := os.WriteFile("/proc/"+strconv.Itoa(hogs[1])+"/oom_score_adj", []byte("950"), 0); err != nil {
		t.Fatal(err)
	}
	files := open(t, "/", Options{Own: int32(os.Getpid())})
	walk := open(t, "/", Options{Own: int32(os.Getpid()), Tasks: it})
	info := fields(t, "/proc/meminfo")
	for _, gain := range []uint64{0, 24 * mib, 1 << 40} {
		ask := linux()
		ask.Policy.MinGain = gain
		ask.RAM, ask.Swap, ask.SwapUsed = info["MemTotal"], info["SwapTotal"], info["SwapTotal"]-info["SwapFree"]
		a, stats := choose(t, files, ask)
		b, walked := choose(t, walk, ask)
		if !walked.Walked || stats.Walked || walked.Fault != nil || walked.Broken > 0 {
			t.Fatalf("%+v, by files %+v", walked, stats)
		}
		if winner(a, ask) != int32(hogs[1]) || winner(b, ask) != int32(hogs[1]) {
			t.Errorf("min_gain %d: files choose %d, a walk %d, not %d", gain, winner(a, ask), winner(b, ask), hogs[1])
		}
		if own := victim.IsOwn; walked.Refused[own] != stats.Refused[own] {
			t.Errorf("refused as our own: %d by a walk, %d by files", walked.Refused[own], stats.Refused[own])
		}
	}
}

// A walk bounds what every process has, and knows its class: never less, and
// more by no more than it may be behind.
func TestLiveWalkBounds(t *testing.T) {
	table := open(t, "/", Options{Tasks: tasks(t)})
	pid := hog(t, "hog")
	systest.New(t).Crowd(20)
	ask := linux()
	ask.Policy.MinGain = 0
	table.begin(ask)
	if err := table.scan(); err != nil || !table.walked {
		t.Fatal(err, table.walked)
	}
	life := 1024 * table.pageSize // of the process between two readings
	checked, met := 0, false
	for _, r := range slices.Clone(table.rows) {
		p := victim.Process{PID: r.pid}
		if r.pid == 1 || r.flag != 0 || r.small {
			continue
		}
		table.setProcess(r.pid)
		if adj, out := table.kernelAdj(); out != isThere || adj != r.adj {
			if out == isThere {
				t.Errorf("%d: adj %d, not %d", r.pid, r.adj, adj)
			}
			continue
		}
		if table.phaseTwo(&p) != isThere || p.Flag&(victim.Zombie|victim.Dying) != 0 {
			continue
		}
		has := p.RssAnon + p.RssFile + p.RssShmem + p.Swap
		if bound := r.rss + r.hint; bound+life < has || bound > has+2*table.behind+life {
			t.Errorf("%s: bound %d, it has %d, a walk may be behind by %d", p.Name(), bound, has, table.behind)
		}
		checked++
		met = met || r.pid == int32(pid)
	}
	if !met || checked < 20 {
		t.Errorf("the hog was met: %v, among %d", met, checked)
	}
}

// broken is a kernel that lets no pass come to its end.
type broken struct {
	begin sys.Errno
	file  string
}

func (b broken) Begin() (sys.FD, sys.Errno) {
	if b.begin != 0 {
		return sys.FD{}, b.begin
	}
	return sys.OpenPath(b.file, sys.ReadOnly)
}

func (b broken) Delayed() bool { return false }

// Without a pass that comes to its end the files are read, as ever.
func TestWalkFails(t *testing.T) {
	root := build(t, task{pid: 1, anon: 9, name: "init"}, task{pid: 10, anon: 300, name: "hog"}, task{pid: 11, anon: 30})
	for _, b := range []broken{{begin: sys.ENOMEM}, {begin: sys.EMFILE}, {file: root}} { // a directory is not read
		table := open(t, root, Options{Tasks: b})
		ask := linux()
		for range 2 {
			found, stats := choose(t, table, ask)
			if winner(found, ask) != 10 || stats.Walked || stats.Seen != 3 {
				t.Errorf("%+v: winner %d, %+v", b, winner(found, ask), stats)
			}
		}
	}
}

// A pass that may be behind by more than a part of all memory tells nobody apart.
func TestWalkTooLoose(t *testing.T) {
	it := tasks(t)
	table := open(t, "/", Options{Tasks: it})
	table.cpus = 512
	ask := linux()
	if _, stats := choose(t, table, ask); stats.Walked == it.Delayed() {
		t.Errorf("512 CPUs and %d MiB: walked %v", ask.RAM/mib, stats.Walked)
	}
}

func TestLiveWalkAllocatesNothing(t *testing.T) {
	table := open(t, "/", Options{Own: int32(os.Getpid()), Tasks: tasks(t)})
	ask := linux()
	if n := testing.AllocsPerRun(20, func() { choose(t, table, ask) }); n != 0 {
		t.Errorf("%v allocations a choice", n)
	}
}
