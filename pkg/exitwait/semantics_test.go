package exitwait

import (
	"context"
	"errors"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/internal/sys/systest"
)

func TestMain(m *testing.M) { systest.Main(m) }

// backends are all that this kernel must have, from 5.10 on.
var backends = []struct {
	name string
	opts []Option
}{
	{"pidfd", []Option{With(Pidfd)}},
	{"connector", []Option{With(Connector)}},
	{"ptrace", []Option{With(Ptrace)}},
	{"poll", []Option{With(Poll), Every(time.Millisecond)}},
}

// scene is one semantic on one backend.
type scene struct {
	*testing.T
	backend string
	opts    []Option
	nursery *systest.Nursery
}

func (s *scene) open(pid int) *Process {
	s.Helper()
	p, err := Open(pid, s.opts...)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = p.Close() })
	return p
}

func (s *scene) running(p *Process) {
	s.Helper()
	if exit, err := p.TryWait(); err != ErrRunning {
		s.Fatalf("TryWait: %v, %v; want still running", exit, err)
	}
}

// ended waits for the exit and checks the status, if the kernel told it.
func (s *scene) ended(p *Process, status uint32) Exit {
	s.Helper()
	exit, err := p.Wait(context.Background())
	if err != nil {
		s.Fatalf("Wait: %v", err)
	}
	if exit.Known && exit.Status != status {
		s.Errorf("Wait: %v (status %#x), want status %#x", exit, exit.Status, status)
	}
	return exit
}

// endedWith is ended for a status that the kernel does tell.
func (s *scene) endedWith(p *Process, status uint32) {
	s.Helper()
	if exit := s.ended(p, status); !exit.Known {
		s.Errorf("Wait: %v, want status %#x", exit, status)
	}
}

// until waits for the process's stat to be as wanted.
func until(t *testing.T, pid int, want func(stat) bool) {
	t.Helper()
	for {
		st, err := readStat(pid)
		if err != nil {
			t.Fatalf("stat of %d: %v", pid, err)
		}
		if want(st) {
			return
		}
	}
}

func code(n int) uint32 { return uint32(n) << 8 }

var semantics = []struct {
	name string
	run  func(*scene)
}{
	{"exit of a stranger", func(s *scene) {
		pid := s.nursery.Fork()
		p := s.open(pid)
		s.running(p)
		s.nursery.Exit(pid, 5)
		s.endedWith(p, code(5))
		s.endedWith(p, code(5)) // and again
	}},
	{"killed by a signal", func(s *scene) {
		pid := s.nursery.Fork()
		p := s.open(pid)
		s.nursery.Signal(pid, sys.SIGKILL)
		s.endedWith(p, uint32(sys.SIGKILL))
	}},
	{"a zombie has exited", func(s *scene) {
		pid := s.nursery.Fork()
		s.nursery.Exit(pid, 6)
		until(s.T, pid, func(st stat) bool { return st.dead() })
		p := s.open(pid)
		if exit, err := p.TryWait(); err != nil || exit != (Exit{true, code(6)}) {
			s.Errorf("TryWait: %v, %v; want exit code 6", exit, err)
		}
		s.endedWith(p, code(6))
	}},
	{"reaped before anybody asks", func(s *scene) {
		pid := s.nursery.Fork()
		p := s.open(pid)
		s.nursery.Exit(pid, 7)
		s.nursery.Reap(pid)
		exit := s.ended(p, code(7))
		if (s.backend == "connector" || s.backend == "ptrace") && !exit.Known {
			s.Errorf("%s does not know the status", s.backend)
		}
	}},
	{"reaped by the kernel", func(s *scene) {
		s.nursery.AutoReap()
		pid := s.nursery.Fork()
		p := s.open(pid)
		s.nursery.Exit(pid, 8)
		s.ended(p, code(8))
	}},
	{"gone before Open", func(s *scene) {
		pid := s.nursery.Fork()
		s.nursery.Exit(pid, 0)
		s.nursery.Reap(pid)
		if _, err := Open(pid, s.opts...); !errors.Is(err, ErrGone) || !errors.Is(err, sys.ESRCH) {
			s.Errorf("Open: %v, want ErrGone and ESRCH", err)
		}
	}},
	{"a thread is no process", func(s *scene) {
		_, tid := s.nursery.Program()
		if _, err := Open(tid, s.opts...); !errors.Is(err, ErrThread) || !errors.Is(err, sys.EINVAL) {
			s.Errorf("Open: %v, want ErrThread and EINVAL", err)
		}
	}},
	{"exec from a thread that is not the leader", func(s *scene) {
		pid, _ := s.nursery.Program()
		p := s.open(pid)
		for range 30 {
			s.nursery.Tell(pid, "exec")
			s.nursery.Ready(pid)
			s.running(p)
		}
		s.nursery.Tell(pid, "exit 9")
		s.endedWith(p, code(9))
	}},
	{"a dead leader of living threads", func(s *scene) {
		pid, _ := s.nursery.Program()
		p := s.open(pid)
		s.nursery.Tell(pid, "leave")
		until(s.T, pid, func(st stat) bool { return st.state == 'Z' })
		s.running(p)
		late := s.open2(pid)
		s.nursery.Tell(pid, "exit 4")
		s.ended(p, code(4))
		if late != nil {
			s.ended(late, code(4))
		}
	}},
	{"a dead leader is replaced by an exec", func(s *scene) {
		pid, _ := s.nursery.Program()
		p := s.open(pid)
		s.nursery.Tell(pid, "leave")
		until(s.T, pid, func(st stat) bool { return st.state == 'Z' })
		s.running(p)
		s.nursery.Tell(pid, "exec")
		s.nursery.Hear(pid) // the ok of leave
		s.nursery.Ready(pid)
		s.running(p)
		s.nursery.Tell(pid, "exit 11")
		s.endedWith(p, code(11))
	}},
	{"a successor of the pid is a stranger", func(s *scene) {
		pid := s.nursery.Fork()
		p := s.open(pid)
		s.nursery.Exit(pid, 12)
		s.nursery.Reap(pid)
		s.nextTick(p)
		s.nursery.ForkAs(pid)
		s.ended(p, code(12))
		q := s.open(pid)
		if q.StartTime() == p.StartTime() {
			s.Errorf("both started at %d", q.StartTime())
		}
		s.running(q)
		s.nursery.Exit(pid, 13)
		s.endedWith(q, code(13))
		s.ended(p, code(12))
	}},
	{"stopping is no exit", func(s *scene) {
		pid := s.nursery.Fork()
		p := s.open(pid)
		s.nursery.Signal(pid, sys.SIGSTOP)
		until(s.T, pid, func(st stat) bool { return st.state == 'T' || st.state == 't' })
		s.running(p)
		s.nursery.Signal(pid, sys.SIGCONT)
		s.running(p)
		s.nursery.Exit(pid, 14)
		s.endedWith(p, code(14))
	}},
	{"killed while stopped", func(s *scene) {
		pid := s.nursery.Fork()
		p := s.open(pid)
		s.nursery.Signal(pid, sys.SIGSTOP)
		until(s.T, pid, func(st stat) bool { return st.state == 'T' || st.state == 't' })
		s.nursery.Signal(pid, sys.SIGKILL)
		s.endedWith(p, uint32(sys.SIGKILL))
	}},
	{"signals do not disturb a wait", func(s *scene) {
		const urgent = 23 // SIGURG, which Go's runtime handles and forgets
		pid := s.nursery.Fork()
		p := s.open(pid)
		done := p.Done()
		for range 100 {
			s.nursery.Signal(os.Getpid(), urgent)
		}
		select {
		case <-done:
			s.Error("a signal ended the wait")
		default:
		}
		s.nursery.Exit(pid, 15)
		<-done
		s.endedWith(p, code(15))
	}},
	{"any number of waiters", func(s *scene) {
		pid := s.nursery.Fork()
		p := s.open(pid)
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() { s.endedWith(p, code(16)) })
		}
		if s.backend != "ptrace" { // a process has one tracer
			for range 10 {
				q := s.open(pid)
				all.Go(func() { s.endedWith(q, code(16)) })
			}
		}
		s.nursery.Exit(pid, 16)
		all.Wait()
	}},
	{"a wait ends with its context", func(s *scene) {
		pid := s.nursery.Fork()
		p := s.open(pid)
		cause := errors.New("enough")
		ctx, cancel := context.WithCancelCause(context.Background())
		cancel(cause)
		if _, err := p.Wait(ctx); err != cause {
			s.Errorf("Wait: %v, want the cause", err)
		}
		s.nursery.Exit(pid, 17)
		s.endedWith(p, code(17))
		if exit, err := p.Wait(ctx); err != nil || exit.Code() != 17 {
			s.Errorf("Wait: %v, %v; an exit wins over the context", exit, err)
		}
	}},
	{"Close ends the waits", func(s *scene) {
		pid := s.nursery.Fork()
		p := s.open(pid)
		p.Done() // a wait has begun
		got := make(chan error)
		go func() {
			_, err := p.Wait(context.Background())
			got <- err
		}()
		if err := p.Close(); err != nil {
			s.Error(err)
		}
		if err := <-got; err != ErrClosed {
			s.Errorf("Wait: %v, want ErrClosed", err)
		}
		s.running(s.reopened(pid))
	}},
	{"the descriptor is readable at the exit", func(s *scene) {
		pid := s.nursery.Fork()
		p := s.open(pid)
		if ready, e := sys.PollIn(p.Fd()); ready != 0 || e != 0 {
			s.Errorf("ready %#x, %v before the exit", ready, e)
		}
		s.nursery.Exit(pid, 18)
		for {
			ready, e := sys.PollFor(p.Fd(), -1)
			if e != 0 {
				s.Fatal(e)
			}
			if ready&sys.In != 0 {
				break
			}
		}
		s.endedWith(p, code(18))
	}},
	{"a child of one's own keeps its status", func(s *scene) {
		child := startChild(s.T)
		p := s.open(child.Pid)
		s.endedWith(p, code(2))
		if state, err := child.Wait(); err != nil || state.ExitCode() != 2 {
			s.Errorf("the parent's own wait: %v, %v", state, err)
		}
	}},
	{"a handle is found again", func(s *scene) {
		pid := s.nursery.Fork()
		p := s.open(pid)
		h, err := p.Handle()
		if err != nil {
			s.Fatal(err)
		}
		if s.backend == "ptrace" { // a process has one tracer
			_ = p.Close()
			untraced(s.T, pid)
		}
		again, err := Reopen(h, s.opts...)
		if err != nil {
			s.Fatal(err)
		}
		defer again.Close()
		s.running(again)
		s.nursery.Exit(pid, 19)
		s.endedWith(again, code(19))
		if s.nursery.Reap(pid); true {
			s.nextTick(again)
			s.nursery.ForkAs(pid)
		}
		if _, err := Reopen(h, s.opts...); !errors.Is(err, ErrGone) {
			s.Errorf("Reopen with a successor: %v, want ErrGone", err)
		}
	}},
}

// startChild starts a child of our own that exits with code 2, its flag being
// unknown.
func startChild(t *testing.T) *os.Process {
	t.Helper()
	child, err := os.StartProcess("/proc/self/exe", []string{"self", "-unknown"}, &os.ProcAttr{})
	if err != nil {
		t.Fatal(err)
	}
	return child
}

// nextTick waits until a process that starts now gets another start time than p,
// which without a forced reuse the cycle of pids sees to.
func (s *scene) nextTick(p *Process) {
	s.Helper()
	for {
		pid := s.nursery.Fork()
		st, err := readStat(pid)
		if err != nil {
			s.Fatal(err)
		}
		s.nursery.Exit(pid, 0)
		s.nursery.Reap(pid)
		if st.start != p.StartTime() {
			return
		}
	}
}

// open2 opens a process whose leader is dead, where the backend can.
func (s *scene) open2(pid int) *Process {
	s.Helper()
	if s.backend == "ptrace" {
		if _, err := Open(pid, s.opts...); !errors.Is(err, errLeaderDead) {
			s.Errorf("Open: %v, want %v", err, errLeaderDead)
		}
		return nil
	}
	return s.open(pid)
}

// reopened opens a process that was closed just now.
func (s *scene) reopened(pid int) *Process {
	s.Helper()
	if s.backend == "ptrace" {
		untraced(s.T, pid)
	}
	return s.open(pid)
}

// untraced waits for the end of a detachment.
func untraced(t *testing.T, pid int) {
	t.Helper()
	for {
		tracer, ok := statusField(pid, "\nTracerPid:\t")
		if !ok {
			t.Fatalf("no TracerPid of %d", pid)
		}
		if tracer == 0 {
			return
		}
	}
}

func TestSemantics(t *testing.T) {
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) {
			for _, c := range semantics {
				t.Run(c.name, func(t *testing.T) {
					c.run(&scene{t, b.name, b.opts, systest.New(t)})
				})
			}
		})
	}
}
