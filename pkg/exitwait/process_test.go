package exitwait

import (
	"context"
	"errors"
	"os"
	"testing"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/internal/sys/systest"
)

func TestResetDoesNotAllocate(t *testing.T) {
	var p Process
	defer p.Close()
	n := testing.AllocsPerRun(100, func() {
		if err := p.Reset(os.Getpid()); err != nil {
			t.Fatal(err)
		}
		if _, err := p.TryWait(); err != ErrRunning {
			t.Fatal(err)
		}
	})
	if n != 0 && !raceEnabled {
		t.Errorf("%v allocations for a Reset and a TryWait, want 0", n)
	}
}

func TestResetReadsTheStartTime(t *testing.T) {
	p, err := Open(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	s, err := readStat(os.Getpid())
	if err != nil || s.start == 0 || p.StartTime() != s.start {
		t.Errorf("start time %d, stat says %d (%v)", p.StartTime(), s.start, err)
	}
	if p.PID() != os.Getpid() || p.Fd() < 0 {
		t.Errorf("pid %d, fd %d", p.PID(), p.Fd())
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, pid := range []int{0, -1} {
		if _, err := Open(pid); !errors.Is(err, sys.EINVAL) {
			t.Errorf("Open(%d): %v, want EINVAL", pid, err)
		}
	}
	if _, err := Open(1 << 30); !errors.Is(err, ErrGone) || !errors.Is(err, sys.ESRCH) {
		t.Errorf("Open of a pid that cannot be: %v, want ErrGone and ESRCH", err)
	}
}

func TestClosedProcess(t *testing.T) {
	var p Process
	if _, err := p.TryWait(); err != ErrClosed {
		t.Errorf("TryWait of the zero value: %v", err)
	}
	if _, err := p.Wait(context.Background()); err != ErrClosed {
		t.Errorf("Wait of the zero value: %v", err)
	}
	if p.Fd() != -1 || p.Done() != nil || p.Close() != nil {
		t.Error("the zero value is not closed")
	}
}

func TestWaitOfAChildLeavesItToTheParent(t *testing.T) {
	child := startChild(t)
	p, err := Open(child.Pid)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	exit, err := p.Wait(context.Background())
	if err != nil || exit.Code() != 2 {
		t.Errorf("Wait: %v, %v; want exit code 2", exit, err)
	}
	if state, err := child.Wait(); err != nil || state.ExitCode() != 2 {
		t.Errorf("the parent's own wait: %v, %v", state, err)
	}
}

// TestExecNeverLooksLikeAnExit looks without end while threads take over their
// leader's pid.
func TestExecNeverLooksLikeAnExit(t *testing.T) {
	n := systest.New(t)
	pid, _ := n.Program()
	p, err := Open(pid)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				if exit, err := p.TryWait(); err != ErrRunning {
					t.Errorf("TryWait: %v, %v", exit, err)
					return
				}
			}
		}
	}()
	for range 100 {
		n.Tell(pid, "exec")
		n.Ready(pid)
	}
	close(stop)
	<-stopped
}

func BenchmarkReset(b *testing.B) {
	var p Process
	defer p.Close()
	b.ReportAllocs()
	for b.Loop() {
		if err := p.Reset(os.Getpid()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTryWait(b *testing.B) {
	p, err := Open(os.Getpid())
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.TryWait(); err != ErrRunning {
			b.Fatal(err)
		}
	}
}
