package kill

import (
	"errors"

	"github.com/lmkd/lmkd/internal/sys"
)

// refusal is an error of a reclaim: its sentence, and the error numbers that it
// is to errors.Is.
type refusal struct {
	text string
	is   [2]sys.Errno
}

func (r *refusal) Error() string { return r.text }

// Is makes a refusal match the error numbers that callers know, and the
// sentinels of os.
func (r *refusal) Is(target error) bool {
	for _, e := range r.is {
		if e != 0 && (error(e) == target || e.Is(target)) {
			return true
		}
	}
	return false
}

// Why a reclaim did not happen. Each also is the error number that it stands
// for: ErrNotDying is EPERM, ErrBusy is EAGAIN and EBUSY, ErrInvalid is EINVAL.
var (
	// ErrNotDying: the process lives, and nobody may take memory from the living.
	ErrNotDying error = &refusal{"the process is not dying", [2]sys.Errno{sys.EPERM}}
	// ErrBusy: the address space stayed locked for all attempts.
	ErrBusy error = &refusal{"the address space stayed locked", [2]sys.Errno{sys.EAGAIN, sys.EBUSY}}
	// ErrInvalid: the descriptor is no pidfd, or the arguments make no sense.
	ErrInvalid error = &refusal{"not a pidfd", [2]sys.Errno{sys.EINVAL, sys.EBADF}}
	// ErrShared: dying, but a living process has the same address space.
	ErrShared error = &refusal{"a living process shares the address space", [2]sys.Errno{}}
	// ErrDumping: dying, but its memory is being written to a core dump.
	ErrDumping error = &refusal{"a core dump is being written", [2]sys.Errno{}}
	// ErrOverdue: the budget is spent and the reclaim, begun, still runs.
	ErrOverdue error = &refusal{"the reclaim takes longer than its budget, and goes on", [2]sys.Errno{sys.ETIMEDOUT}}
)

// ErrGone says that there is nothing left to act on: the process has let go of
// its memory, or has ended, or another one has its pid.
var ErrGone = errors.New("the process is gone")

// opError says what was being done when err happened.
type opError struct {
	doing string
	err   error
}

func (e *opError) Error() string { return e.doing + ": " + e.err.Error() }

func (e *opError) Unwrap() error { return e.err }
