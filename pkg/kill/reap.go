package kill

import (
	"time"

	"github.com/lmkd/lmkd/internal/sys"
)

// Retry bounds the work that goes into one reclaim. process_mrelease knows no
// limit in bytes, so the bound is on attempts and time; a call that has begun
// is not interrupted.
type Retry struct {
	Attempts int           // calls at most; 0 counts as 1
	Pause    time.Duration // between two of them; ends early when the process does
	Budget   time.Duration // no new attempt after this long; 0 has no limit
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
// memory with a living one, EBADF for what is no pidfd, ENOSYS before Linux
// 5.15. It does not allocate.
func Reap(pidfd int, r Retry) Reclaim {
	out := Reclaim{Step: step()}
	for {
		out.Attempts++
		out.Step = out.done(sys.ProcessMrelease(pidfd))
		if out.Errno != sys.EAGAIN && out.Errno != sys.EINTR {
			return out
		}
		if out.Attempts >= r.Attempts || r.Budget > 0 && out.Took >= r.Budget {
			return out
		}
		// The pause is a wait for the end: a victim that exits meanwhile
		// frees its memory itself.
		_, _ = sys.PollFor(pidfd, int((r.Pause+time.Millisecond-1)/time.Millisecond))
	}
}

// refused turns the answer to a reclaim into the error that a caller branches
// on; c is the state of the process, looked at after the answer.
func (r *Reclaim) refused(c *Condition) error {
	switch r.Errno {
	case 0:
		return nil
	case sys.ESRCH:
		return ErrGone
	case sys.EAGAIN, sys.EINTR:
		return ErrBusy
	case sys.EBADF:
		return ErrInvalid
	case sys.ETIMEDOUT:
		return ErrOverdue
	case sys.EINVAL:
		return c.invalid()
	}
	return r.Errno
}

// invalid tells apart what process_mrelease answers EINVAL to.
func (c *Condition) invalid() error {
	switch {
	case c.Dead:
		return ErrGone
	case c.Holds&Dumping != 0:
		return ErrDumping
	case !c.Dying:
		return ErrNotDying
	}
	return ErrShared
}
