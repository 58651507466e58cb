package kill_test

import (
	"os"
	"runtime"
	"testing"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/exitwait"
	"github.com/lmkd/lmkd/pkg/kill"
)

// A stopped victim can not free its memory itself: it never runs between the
// signal and the reclaim.
func TestReapersTakeTheMemoryBack(t *testing.T) {
	r := reapers(t, 2)
	for token := uint64(1); token <= 4; token++ {
		p := victim(t, "hold 32")
		stop(t, p)
		if s := kill.Signal(p, p.StartTime(), sys.SIGKILL); !s.OK() {
			t.Fatal(s.Errno)
		}
		if e := r.Hand(kill.Job{Pidfd: p.Fd(), Token: token, Boost: true}); e != 0 {
			t.Fatal(e)
		}
		got := collect(t, r)
		if got.Token != token {
			t.Fatalf("token %d, want %d", got.Token, token)
		}
		if got.Errno != reclaimSays(0) && got.Errno != reclaimSays(sys.ESRCH) {
			t.Fatalf("reclaim: %v, want done or nothing left", got.Errno)
		}
	}
}

func reapers(t testing.TB, n int) *kill.Reapers {
	t.Helper()
	r, err := kill.StartReapers(n, kill.DefaultRetry)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func collect(t testing.TB, r *kill.Reapers) kill.Result {
	t.Helper()
	for {
		if _, e := sys.PollFor(r.Fd(), -1); e != 0 {
			t.Fatal(e)
		}
		if out, ok := r.Collect(); ok {
			return out
		}
	}
}

// Threads made from a real-time thread must not be real-time themselves: they
// would starve the machine that they are to help.
func TestReapersAreNotRealTime(t *testing.T) {
	policies := make(chan []kill.Worker)
	go func() {
		runtime.LockOSThread()
		if err := sys.SetFIFO(1); err != nil {
			t.Error("needs CAP_SYS_NICE: ", err)
		}
		r, err := kill.StartReapers(4, kill.DefaultRetry)
		if err != nil {
			t.Error(err)
		}
		policies <- r.Threads()
		r.Close()
	}()
	for _, w := range <-policies {
		if w.Policy != sys.SchedOther || w.Nice != kill.ReaperNice {
			t.Errorf("worker %d has policy %d and nice %d", w.TID, w.Policy, w.Nice)
		}
	}
}

func TestReapersOnChosenProcessors(t *testing.T) {
	r, err := kill.StartReapersOn(kill.Thread{Nice: 3, CPUs: []int{0}}, 1, kill.DefaultRetry)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var cpus sys.CPUSet
	w := r.Threads()[0]
	if e := sys.GetCPUs(w.TID, &cpus); e != 0 || cpus.Count() != 1 || !cpus.IsSet(0) || w.Nice != 3 {
		t.Fatalf("%+v on %d processors: %v", w, cpus.Count(), e)
	}
}

// Four submissions to one worker wait for it, and come back each once.
func TestReapersQueue(t *testing.T) {
	r := reapers(t, 1)
	self := ourselves(t)
	seen := map[uint64]bool{}
	for token := range uint64(kill.Pending) {
		if e := r.Submit(self.Fd(), token); e != 0 {
			t.Fatal(e)
		}
	}
	if e := r.Submit(self.Fd(), 99); e != sys.EAGAIN {
		t.Fatalf("one too many: %v, want EAGAIN", e)
	}
	for range kill.Pending {
		got := collect(t, r)
		if got.Errno != reclaimSays(sys.EINVAL) || seen[got.Token] {
			t.Fatalf("reclaim of ourselves: %v, token %d", got.Errno, got.Token)
		}
		seen[got.Token] = true
	}
	if _, ok := r.Collect(); ok {
		t.Fatal("more results than submissions")
	}
}

func ourselves(t testing.TB) *exitwait.Process {
	t.Helper()
	self, err := exitwait.Open(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = self.Close() })
	return self
}

func TestReapersLeakNothing(t *testing.T) {
	before := fds(t)
	self := ourselves(t)
	for range 20 {
		r, err := kill.StartReapers(4, kill.DefaultRetry)
		if err != nil {
			t.Fatal(err)
		}
		if e := r.Submit(self.Fd(), 7); e != 0 {
			t.Fatal(e)
		}
		if got := collect(t, r); got.Errno != reclaimSays(sys.EINVAL) || got.Token != 7 {
			t.Fatalf("reclaim of ourselves: %v, token %d", got.Errno, got.Token)
		}
		r.Close()
	}
	_ = self.Close()
	if after := fds(t); after > before {
		t.Fatalf("%d descriptors before, %d after", before, after)
	}
}

func fds(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// The hand-over from the loop to a worker allocates nothing.
func TestSubmitAllocatesNothing(t *testing.T) {
	r := reapers(t, 1)
	self := ourselves(t)
	allocs := testing.AllocsPerRun(100, func() {
		if e := r.Submit(self.Fd(), 1); e != 0 {
			t.Fatal(e)
		}
		collect(t, r)
	})
	if allocs != 0 && !underRace {
		t.Fatalf("%v allocations a submission", allocs)
	}
}

func TestSignalAllocatesNothing(t *testing.T) {
	self := ourselves(t)
	allocs := testing.AllocsPerRun(100, func() {
		if s := kill.Signal(self, self.StartTime(), 0); !s.OK() {
			t.Fatal(s.Errno)
		}
	})
	if allocs != 0 && !underRace {
		t.Fatalf("%v allocations a signal", allocs)
	}
}
