package kill

import (
	"time"

	"github.com/lmkd/lmkd/internal/sys"
)

// Process is an open identity: a pidfd whose process was looked at after the
// pidfd was opened, so that its start time is the start time behind the fd.
type Process interface {
	PID() int
	StartTime() uint64 // clock ticks since boot, field 22 of /proc/PID/stat; 0 when hidden
	Fd() int           // the pidfd, borrowed; readable once the process has exited
}

// Step is one system call of a kill: the kernel's answer, when it began on
// CLOCK_MONOTONIC, and how long it took. A zero Start means that the step was
// not taken.
type Step struct {
	Errno sys.Errno
	Start time.Duration
	Took  time.Duration
}

// OK tells whether the step was taken and the kernel agreed.
func (s Step) OK() bool { return s.Errno == 0 && s.Start != 0 }

// Taken tells whether there was such a step at all.
func (s Step) Taken() bool { return s.Start != 0 }

// step begins a step.
func step() Step { return Step{Start: sys.Now()} }

// done ends it with the kernel's answer.
func (s Step) done(e sys.Errno) Step {
	return Step{Errno: e, Start: s.Start, Took: sys.Now() - s.Start}
}

// Signal checks that p still is the process that started at startTime, then
// sends it sig through its pidfd. ESRCH means that the process is gone or that
// its pid went to another one, EPERM that the caller may not signal it, EBADF
// that p has no pidfd. A zombie takes a signal without complaint: only the
// pidfd's readiness proves an end. It does not allocate.
func Signal(p Process, startTime uint64, sig int) Step {
	s := step()
	e := sys.ESRCH
	if p.StartTime() == startTime {
		e = sys.PidfdSignal(p.Fd(), sig)
	}
	return s.done(e)
}
