package kill

import (
	"runtime"
	"time"

	"github.com/lmkd/lmkd/internal/sys"
)

// ReaperNice is the nice value of threads that reclaim: quick, but never
// real-time, so that reclaiming can not starve the machine that it is to help.
const ReaperNice = -20

// Thread is where a reclaim runs: it takes the time and the priority of the
// thread that asks for it.
type Thread struct {
	Nice int   // -20 to 19, in the time-sharing class
	CPUs []int // the processors to run on; none means all that the caller may
}

// DefaultThread is the one of the Reapers.
var DefaultThread = Thread{Nice: ReaperNice}

// enter gives the calling thread its priority and processors. A thread that
// inherited real-time loses it. The caller has locked its goroutine.
func (t Thread) enter() error {
	if len(t.CPUs) > 0 {
		set := sys.MakeCPUSet(t.CPUs...)
		if e := sys.SetCPUs(0, &set); e != 0 {
			return &opError{"bind a reclaiming thread to its processors", e}
		}
	}
	if e := sys.SetSched(0, sys.NormalSched(t.Nice)); e != 0 {
		// Without CAP_SYS_NICE: at least not real-time, and not idle.
		_ = sys.SetSched(0, sys.NormalSched(0))
		return &opError{"set the priority of a reclaiming thread", e}
	}
	return nil
}

// ReapOn is Reap in a thread of its own, and comes back when the budget of r is
// spent, at the latest: Errno is then ETIMEDOUT, and a reclaim that has begun
// goes on by itself. The error tells of a thread without its priority, which
// works all the same. It must not be called under pressure, for a thread is
// made: that is what Reapers are for.
func ReapOn(t Thread, pidfd int, r Retry) (Reclaim, error) {
	s := prepareStandby(t)
	return s.reap(pidfd, r), s.err
}

// standby is a thread that waits to reclaim once.
type standby struct {
	fire chan order
	out  chan Reclaim
	err  error // of its priority
}

type order struct {
	pidfd sys.FD
	retry Retry
}

// prepareStandby makes the thread, so that nothing has to be made after the
// signal. It ends with its reclaim, or when dismissed.
func prepareStandby(t Thread) *standby {
	s := &standby{fire: make(chan order), out: make(chan Reclaim, 1)}
	ready := make(chan struct{})
	go func() {
		runtime.LockOSThread() // and never unlock: the thread ends with its priority
		s.err = t.enter()
		close(ready)
		if o, ok := <-s.fire; ok {
			reclaim := Reap(o.pidfd.Int(), o.retry)
			_ = o.pidfd.Close()
			s.out <- reclaim
		}
	}()
	<-ready
	return s
}

// start lets it begin with a copy of pidfd. It is called once, or dismiss.
func (s *standby) start(pidfd int, r Retry) sys.Errno {
	copied, e := sys.Dup(pidfd)
	if e != 0 {
		s.dismiss()
		return e
	}
	s.fire <- order{copied, r}
	return 0
}

// dismiss ends a thread that is not needed.
func (s *standby) dismiss() { close(s.fire) }

// reap starts it, and waits for the end or the budget.
func (s *standby) reap(pidfd int, r Retry) Reclaim {
	begun := step()
	if e := s.start(pidfd, r); e != 0 {
		return Reclaim{Step: begun.done(e)}
	}
	select {
	case reclaim := <-s.out:
		return reclaim
	case <-budget(r.Budget):
		return Reclaim{Step: begun.done(sys.ETIMEDOUT), Attempts: 1}
	}
}

// budget gives a channel that speaks after d; never for 0.
func budget(d time.Duration) <-chan time.Time {
	if d <= 0 {
		return nil
	}
	return time.After(d)
}
