package exitwait

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/internal/sys/systest"
)

func TestChanges(t *testing.T) {
	for _, b := range []struct {
		name string
		opts []Option
		stop int // the signal that is told
	}{
		{"ptrace", []Option{With(Ptrace)}, sys.SIGSTOP},
		{"poll", []Option{With(Poll), Every(time.Millisecond)}, 0},
	} {
		t.Run(b.name, func(t *testing.T) {
			n := systest.New(t)
			pid, _ := n.Program()
			p, err := Open(pid, b.opts...)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			var last Change
			next := func(want Change) {
				t.Helper()
				want.Seq = last.Seq + 1
				last, err = p.WaitChange(context.Background(), last.Seq)
				if err != nil || last != want {
					t.Fatalf("%+v, %v; want %+v", last, err, want)
				}
			}
			for range 3 {
				n.Signal(pid, sys.SIGSTOP)
				next(Change{State: Stopped, Signal: b.stop})
				n.Signal(pid, sys.SIGCONT)
				next(Change{State: Running})
			}
			n.Tell(pid, "exit 2")
			next(Change{State: Exited, Exit: Exit{true, code(2)}})
			again, err := p.WaitChange(context.Background(), last.Seq)
			if err != nil || again != last {
				t.Errorf("after the exit: %+v, %v", again, err)
			}
		})
	}
}

func TestChangesAreForSomeBackends(t *testing.T) {
	for _, b := range []Backend{Pidfd, Connector} {
		p, err := Open(os.Getpid(), With(b))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.WaitChange(context.Background(), 0); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%v: %v, want ErrUnsupported", b, err)
		}
		_ = p.Close()
		if _, err := p.WaitChange(context.Background(), 0); err != ErrClosed {
			t.Errorf("%v: %v, want ErrClosed", b, err)
		}
	}
}

// TestTracerLetsGo: a traced process is as before after Close, stopped or not.
func TestTracerLetsGo(t *testing.T) {
	n := systest.New(t)
	for _, stopped := range []bool{false, true} {
		pid := n.Fork()
		p, err := Open(pid, With(Ptrace))
		if err != nil {
			t.Fatal(err)
		}
		if stopped {
			n.Signal(pid, sys.SIGSTOP)
			if c, err := p.WaitChange(context.Background(), 0); err != nil || c.State != Stopped {
				t.Fatalf("%+v, %v", c, err)
			}
		}
		if tracer, _ := statusField(pid, "\nTracerPid:\t"); tracer == 0 {
			t.Error("not traced")
		}
		_ = p.Close()
		untraced(t, pid)
		until(t, pid, func(st stat) bool { return (st.state == 'T') == stopped })
		n.Signal(pid, sys.SIGCONT)
		n.Exit(pid, 4)
		if status := n.Reap(pid); status != code(4) {
			t.Errorf("status %#x, want %#x", status, code(4))
		}
	}
}
