package exitwait

import (
	"os"
	"runtime"
	"sync"

	"github.com/lmkd/lmkd/internal/sys"
)

// tracers is the package's one tracing thread. It exists only while something
// is traced: its end would detach everything.
var tracers tracerHub

// tracee is a Process that is traced by its leader thread, and by no other, so
// that the cost to it is a stop for each signal that the leader gets. The fields
// below are the tracing thread's.
type tracee struct {
	process *Process
	id      identity

	leaving bool // asked to stop, to be detached
	alone   bool // a goroutine waits for it: its leader died before its threads
}

func (s *tracee) attach() (err error) {
	tracers.do(func(t *tracer) { err = t.seize(s) })
	return err
}

func (s *tracee) refresh() { tracers.do(func(t *tracer) { t.ask(s) }) }
func (s *tracee) detach()  { tracers.do(func(t *tracer) { t.leave(s) }) }

// tracerHub starts and ends the tracing thread.
type tracerHub struct {
	mu      sync.Mutex
	tracer  *tracer
	waiting int // requests on their way
}

// tracer is the tracing thread's state, touched by that thread alone.
type tracer struct {
	requests chan func(*tracer)
	member   map[*tracee]struct{}
}

// do runs f on the tracing thread and waits for it.
func (h *tracerHub) do(f func(*tracer)) {
	h.mu.Lock()
	if h.tracer == nil {
		h.tracer = &tracer{requests: make(chan func(*tracer)), member: map[*tracee]struct{}{}}
		go h.run(h.tracer)
	}
	t := h.tracer
	h.waiting++
	h.mu.Unlock()
	done := make(chan struct{})
	t.requests <- func(t *tracer) {
		f(t)
		h.mu.Lock()
		h.waiting--
		h.mu.Unlock()
		close(done)
	}
	<-done
}

// run is the tracing thread. The kernel announces every stop and death with
// SIGCHLD; several may come as one, so each is a reason to ask about all.
func (h *tracerHub) run(t *tracer) {
	runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
	children := make(chan os.Signal, 1)
	stop := sys.NotifyChildren(children)
	defer stop()
	for {
		select {
		case f := <-t.requests:
			f(t)
		case <-children:
			for s := range t.member {
				t.ask(s)
			}
		}
		if h.retire(t) {
			return
		}
	}
}

func (h *tracerHub) retire(t *tracer) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(t.member) > 0 || h.waiting > 0 {
		return false
	}
	h.tracer = nil
	return true
}

// errLeaderDead is met when the leader, which is the thread that would be
// traced, has exited before the others.
var errLeaderDead error = &answer{"the leader thread has exited and others live on", sys.EPERM}

// seize begins to trace. A zombie cannot be traced, and need not. A leader that
// is dead while its threads are not may be the middle of an exit: that is looked
// at for as long as it takes a few thousand times.
func (t *tracer) seize(s *tracee) error {
	e := sys.Seize(s.id.pid)
	st, exit, dead := s.id.look()
	for range 5000 {
		if e != sys.EPERM || st.state != 'Z' || dead {
			break
		}
		runtime.Gosched()
		st, exit, dead = s.id.look()
	}
	switch {
	case e == 0:
		t.member[s] = struct{}{}
		if dead {
			t.seizedDead(s, exit)
		}
		return nil
	case dead:
		s.process.finish(s, exit)
		return nil
	case e == sys.EPERM && st.state == 'Z':
		return errLeaderDead
	}
	return &opError{"seize", e}
}

// seizedDead handles a process that died around its seizure. What still is
// traced after asking for its exit is a successor of its pid.
func (t *tracer) seizedDead(s *tracee, exit Exit) {
	t.ask(s)
	if _, member := t.member[s]; member {
		t.leave(s)
		s.process.finish(s, exit)
	}
}

// leave ends the tracing. A running tracee has to stop for it, which it may do
// a while later.
func (t *tracer) leave(s *tracee) {
	if _, member := t.member[s]; !member {
		return
	}
	if e := sys.TraceInterrupt(s.id.pid); e == sys.ESRCH && !s.alone {
		delete(t.member, s)
		return
	}
	s.leaving = true
	t.ask(s)
}

// ask takes in all that has happened to s. /proc is looked at first: when it
// shows a living leader and the kernel then knows no tracee, another thread
// took the pid over in an exec, and is to be seized in its turn.
func (t *tracer) ask(s *tracee) {
	if _, member := t.member[s]; !member {
		return
	}
	st, exit, dead := s.id.look()
	for {
		status, changed, e := sys.WaitPID(s.id.pid, sys.WaitExited|sys.WaitStopped|sys.WaitNoHang|sys.WaitNoReap|sys.WaitAll)
		if e == sys.ECHILD {
			t.lose(s, exit, dead)
			return
		}
		if e != 0 || !changed {
			break
		}
		if !t.take(s, status) {
			return
		}
	}
	if st.state == 'Z' && !dead && !s.alone {
		t.waitAlone(s)
	}
}

// take handles one status that the kernel has for us; false when it was the
// last. What was seen without taking it lacks the event of a stop and, before
// Linux 5.17, the status of a process whose leader left early. A child of our
// own is not taken at its exit, because that would be the reaping, which is left
// to who started it.
func (t *tracer) take(s *tracee, seen uint32) bool {
	stopped := seen&0xff == 0x7f
	if !stopped && ownChild(s.id.pid) {
		t.exited(s, believed(seen, s.id.lone))
		return false
	}
	status, e := sys.WaitTracee(s.id.pid)
	switch {
	case e != 0 || status == 0 && stopped:
		return e == 0
	case status&0xff != 0x7f:
		t.exited(s, Exit{Known: true, Status: status})
		return false
	}
	signal, event := int(status>>8)&0xff, int(status>>16)
	if s.leaving {
		if event != 0 {
			signal = 0
		}
		sys.TraceDetach(s.id.pid, signal)
		delete(t.member, s)
		return false
	}
	s.resume(signal, event)
	return true
}

// resume lets a stopped tracee do what it would do untraced.
func (s *tracee) resume(signal, event int) {
	switch {
	case event == 0: // about to get a signal
		sys.TraceContinue(s.id.pid, signal)
	case event == sys.TraceStop && stops(signal):
		s.process.change(s, Stopped, signal)
		sys.TraceListen(s.id.pid)
	default:
		s.process.change(s, Running, 0)
		sys.TraceContinue(s.id.pid, 0)
	}
}

// stops reports whether signal is one that stops a process.
func stops(signal int) bool {
	return signal == sys.SIGSTOP || signal == sys.SIGTSTP || signal == sys.SIGTTIN || signal == sys.SIGTTOU
}

// exited tells of the exit. Only when the tracer has taken it the kernel tells
// the real parent.
func (t *tracer) exited(s *tracee, exit Exit) {
	delete(t.member, s)
	s.process.finish(s, exit)
}

// lose handles a tracee that the kernel does not know as ours any more.
func (t *tracer) lose(s *tracee, exit Exit, dead bool) {
	delete(t.member, s)
	if s.leaving {
		return
	}
	if dead {
		s.process.finish(s, exit)
		return
	}
	if t.seize(s) != nil { // died between the look and now, or taken by another
		if _, exit, dead := s.id.look(); dead {
			s.process.finish(s, exit)
		}
	}
}

// waitAlone has a goroutine block in the kernel for a tracee whose leader is
// dead while its threads live: an exec by one of them takes the tracee away
// from us with no signal, but wakes a wait.
func (t *tracer) waitAlone(s *tracee) {
	s.alone = true
	go func() {
		_, _, _ = sys.WaitPID(s.id.pid, sys.WaitExited|sys.WaitNoReap|sys.WaitAll)
		tracers.do(func(t *tracer) {
			s.alone = false
			t.ask(s)
		})
	}()
}
