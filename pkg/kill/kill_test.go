package kill_test

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/exitwait"
	"github.com/lmkd/lmkd/pkg/kill"
)

// TestMain lets the test binary be its own victim.
func TestMain(m *testing.M) {
	if os.Getenv("KILL_TEST_VICTIM") != "" {
		hog := make([]byte, 32<<20)
		for i := range hog {
			hog[i] = byte(i)
		}
		_, _ = os.Stdout.WriteString("ready\n")
		_, _ = io.Copy(io.Discard, os.Stdin) // until the test ends
		os.Exit(int(hog[0]))
	}
	os.Exit(m.Run())
}

// victim starts a process that holds memory and waits for its end.
func victim(t testing.TB) (*exec.Cmd, *exitwait.Process) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "KILL_TEST_VICTIM=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	if _, err := out.Read(make([]byte, 16)); err != nil {
		t.Fatal(err)
	}
	p, err := exitwait.Open(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return cmd, p
}

func TestSignalRefusesAStranger(t *testing.T) {
	_, p := victim(t)
	step := kill.Signal(p, p.StartTime()+1, sys.SIGKILL)
	if step.Errno != sys.ESRCH {
		t.Fatalf("a signal to another start time: %v, want ESRCH", step.Errno)
	}
	if _, err := p.TryWait(); !errors.Is(err, exitwait.ErrRunning) {
		t.Fatalf("the stranger: %v, want it running", err)
	}
}

func TestReapNeedsADyingProcess(t *testing.T) {
	_, p := victim(t)
	if r := kill.Reap(p.Fd(), kill.DefaultRetry); r.Errno != sys.EINVAL || r.Attempts != 1 {
		t.Fatalf("reclaim of a living process: %v after %d attempts, want EINVAL after 1", r.Errno, r.Attempts)
	}
}

func TestReapAfterTheEnd(t *testing.T) {
	cmd, p := victim(t)
	if s := kill.Signal(p, p.StartTime(), sys.SIGKILL); !s.OK() {
		t.Fatal(s.Errno)
	}
	_ = cmd.Wait()
	if r := kill.Reap(p.Fd(), kill.DefaultRetry); r.Errno != sys.ESRCH {
		t.Fatalf("reclaim after the end: %v, want ESRCH", r.Errno)
	}
}

// A stopped victim can not free its memory itself: it never runs between the
// signal and the reclaim, and process_mrelease succeeds.
func TestReapersTakeTheMemoryBack(t *testing.T) {
	reapers, err := kill.StartReapers(2, kill.DefaultRetry)
	if err != nil {
		t.Fatal(err)
	}
	defer reapers.Close()
	for token := uint64(1); token <= 4; token++ {
		_, p := victim(t)
		if s := kill.Signal(p, p.StartTime(), sys.SIGKILL); !s.OK() {
			t.Fatal(s.Errno)
		}
		if e := reapers.Submit(p.Fd(), token); e != 0 {
			t.Fatal(e)
		}
		r := collect(t, reapers)
		if r.Token != token {
			t.Fatalf("token %d, want %d", r.Token, token)
		}
		if r.Errno != 0 && r.Errno != sys.ESRCH {
			t.Fatalf("reclaim: %v, want done or nothing left", r.Errno)
		}
	}
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

func TestReapersLeakNothing(t *testing.T) {
	before := fds(t)
	for range 20 {
		r, err := kill.StartReapers(4, kill.DefaultRetry)
		if err != nil {
			t.Fatal(err)
		}
		self, err := exitwait.Open(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		if e := r.Submit(self.Fd(), 7); e != 0 {
			t.Fatal(e)
		}
		if got := collect(t, r); got.Errno != sys.EINVAL || got.Token != 7 {
			t.Fatalf("reclaim of ourselves: %v, token %d", got.Errno, got.Token)
		}
		r.Close()
		_ = self.Close()
	}
	if after := fds(t); after > before+4 { // a worker closes its own eventfd as it ends
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
	r, err := kill.StartReapers(1, kill.DefaultRetry)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	self, err := exitwait.Open(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	defer self.Close()
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

func TestSubmitSaysBusy(t *testing.T) {
	r, err := kill.StartReapers(1, kill.DefaultRetry)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	self, err := exitwait.Open(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	defer self.Close()
	if e := r.Submit(self.Fd(), 1); e != 0 {
		t.Fatal(e)
	}
	// Finished or not, an uncollected result keeps its worker busy.
	if e := r.Submit(self.Fd(), 2); e != sys.EAGAIN {
		t.Fatalf("a second submission to one worker: %v, want EAGAIN", e)
	}
	collect(t, r)
}

func ExampleSignal() {
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		panic(err)
	}
	p, err := exitwait.Open(cmd.Process.Pid)
	if err != nil {
		panic(err)
	}
	defer p.Close()
	step := kill.Signal(p, p.StartTime(), sys.SIGKILL)
	reclaim := kill.Reap(p.Fd(), kill.DefaultRetry)
	err = cmd.Wait()
	_, _ = os.Stdout.WriteString(strings.Join([]string{
		sys.ErrnoName(step.Errno), map[bool]string{true: "memory back"}[reclaim.Errno == 0 || reclaim.Errno == sys.ESRCH], err.Error(),
	}, ", ") + "\n")
	// Output: ok, memory back, signal: killed
}
