package exitwait

import "github.com/lmkd/lmkd/internal/sys"

// The answers that callers branch on. ErrGone and ErrThread match, with
// errors.Is, also the kernel's ESRCH and EINVAL.
var (
	// ErrRunning is TryWait's "not yet".
	ErrRunning error = &answer{"still running", sys.EAGAIN}

	// ErrGone means that there is no such process any more, not even as a
	// zombie: it was reaped, or its pid belongs to a successor.
	ErrGone error = &answer{"no such process", sys.ESRCH}

	// ErrThread means that the number is a thread's and no process's.
	ErrThread error = &answer{"a thread, not a process", sys.EINVAL}

	// ErrClosed means that the Process was closed, before or during a call.
	ErrClosed error = &answer{"closed", sys.EBADF}
)

// answer is a sentinel with the error number that the kernel gives, or would
// give, for the same thing.
type answer struct {
	text  string
	errno sys.Errno
}

func (a *answer) Error() string { return a.text }

// Unwrap gives the error number for errors.Is.
func (a *answer) Unwrap() error { return a.errno }

// opError says what was being done, and why it failed.
type opError struct {
	doing string
	why   error
}

func (e *opError) Error() string { return e.doing + ": " + e.why.Error() }

// Unwrap gives the reason.
func (e *opError) Unwrap() error { return e.why }
