package kill

import (
	"time"

	"github.com/lmkd/lmkd/internal/sys"
)

// Process is an open identity: a pidfd whose process was looked at after the
// pidfd was opened, so that its start time is the start time behind the fd.
type Process interface {
	PID() int
	StartTime() uint64 // clock ticks since boot, field 22 of /proc/PID/stat
	Fd() int           // the pidfd, borrowed
}

// Step is one system call of a kill: the kernel's answer, when it began on
// CLOCK_MONOTONIC, and how long it took.
type Step struct {
	Errno sys.Errno
	Start time.Duration
	Took  time.Duration
}

// OK tells whether the kernel agreed.
func (s Step) OK() bool { return s.Errno == 0 }

// Signal checks that p still is the process that started at startTime, then
// sends it sig through its pidfd. ESRCH means that the process is gone or that
// its pid went to another one, EPERM that the caller may not signal it. A
// zombie takes a signal without complaint: only the pidfd's readiness proves
// an end.
func Signal(p Process, startTime uint64, sig int) Step {
	start := sys.Now()
	e := sys.ESRCH
	if p.StartTime() == startTime {
		e = sys.PidfdSignal(p.Fd(), sig)
	}
	return Step{Errno: e, Start: start, Took: sys.Now() - start}
}
