package kill

import (
	"time"

	"github.com/lmkd/lmkd/internal/sys"
)

// Retry bounds the work that goes into one reclaim. process_mrelease knows no
// limit in bytes, so the bound is on attempts and time.
type Retry struct {
	Attempts int           // calls at most
	Pause    time.Duration // between two of them; ends early when the process does
	Budget   time.Duration // no new attempt after this long
}

// DefaultRetry is enough for an address space that is locked for a moment.
var DefaultRetry = Retry{Attempts: 10, Pause: 2 * time.Millisecond, Budget: 200 * time.Millisecond}

// Reclaim is how process_mrelease went: the last answer, and all the time that
// the attempts took.
type Reclaim struct {
	Step
	Attempts int
}

// Reap frees the memory of the dying process behind pidfd in the caller's own
// time, and tries again while its address space is locked. Errno is 0 when the
// memory was freed, ESRCH when there was none left, EAGAIN when the space
// stayed locked, EINVAL when the process is not dying, dumps core or shares its
// memory with a living one, ENOSYS before Linux 5.15.
func Reap(pidfd int, r Retry) Reclaim {
	out := Reclaim{Step: Step{Start: sys.Now()}}
	for {
		out.Attempts++
		out.Errno = sys.ProcessMrelease(pidfd)
		out.Took = sys.Now() - out.Start
		if out.Errno != sys.EAGAIN && out.Errno != sys.EINTR {
			return out
		}
		if out.Attempts >= r.Attempts || out.Took >= r.Budget {
			return out
		}
		// The pause is a wait for the end: a victim that exits meanwhile
		// frees its memory itself.
		_, _ = sys.PollFor(pidfd, int(r.Pause/time.Millisecond))
	}
}
