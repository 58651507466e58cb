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
	type answer struct {
		reclaim Reclaim
		err     error
	}
	s := step()
	copied, e := sys.Dup(pidfd)
	if e != 0 {
		return Reclaim{Step: s.done(e)}, nil
	}
	out := make(chan answer, 1)
	go func() {
		runtime.LockOSThread() // and never unlock: the thread ends with its priority
		err := t.enter()
		reclaim := Reap(copied.Int(), r)
		_ = copied.Close()
		out <- answer{reclaim, err}
	}()
	select {
	case a := <-out:
		return a.reclaim, a.err
	case <-budget(r.Budget):
		return Reclaim{Step: s.done(sys.ETIMEDOUT), Attempts: 1}, nil
	}
}

// budget gives a channel that speaks after d; never for 0.
func budget(d time.Duration) <-chan time.Time {
	if d <= 0 {
		return nil
	}
	return time.After(d)
}
