package psi

import (
	"fmt"
	"strconv"
	"time"

	"github.com/lmkd/lmkd/internal/sys"
)

// Kind says which stall a trigger counts.
type Kind uint8

// The lines of a pressure file as kinds of stall.
const (
	Some Kind = iota // at least one task is stalled
	Full             // all tasks that are not idle are stalled at once
)

func (k Kind) String() string {
	if k == Full {
		return "full"
	}
	return "some"
}

// The limits of a window: below 500 ms kernels before 6.4 refuse it, above
// 10 s all do. Without CAP_SYS_RESOURCE it is a multiple of FreeWindow since
// Linux 6.4 (and stable releases of 6.1); from 5.13 until then there was no
// trigger without it, and before that the file's mode decided.
const (
	MinWindow  = 500 * time.Millisecond
	MaxWindow  = 10 * time.Second
	FreeWindow = 2 * time.Second
)

// Threshold is what a trigger waits for: Stall of time lost within any Window.
// The kernel counts both in microseconds and speaks at most once a window.
type Threshold struct {
	Kind          Kind
	Stall, Window time.Duration
}

func (t Threshold) String() string {
	return fmt.Sprintf("%s %s in %s", t.Kind, t.Stall, t.Window)
}

// Check says why the kernel could not take t, nil when it could.
func (t Threshold) Check() error {
	switch {
	case t.Window < MinWindow || t.Window > MaxWindow:
		return fmt.Errorf("pressure window %s: not between %s and %s", t.Window, MinWindow, MaxWindow)
	case t.Stall < time.Microsecond || t.Stall > t.Window:
		return fmt.Errorf("pressure stall %s: not between 1µs and the window of %s", t.Stall, t.Window)
	case t.Kind > Full:
		return fmt.Errorf("pressure kind %d: neither some nor full", t.Kind)
	}
	return nil
}

// Unprivileged gives the threshold nearest to t that a process without
// CAP_SYS_RESOURCE may set: the window is rounded up to a multiple of 2 s and
// the stall grows by the same factor. It speaks later, never more often.
func (t Threshold) Unprivileged() Threshold {
	if t.Window <= 0 || t.Window > MaxWindow {
		return t
	}
	window := (t.Window + FreeWindow - 1) / FreeWindow * FreeWindow
	// Whole microseconds: at most 1e7 * 1e7, far from overflow.
	us := t.Stall.Microseconds() * window.Microseconds() / max(t.Window.Microseconds(), 1)
	return Threshold{t.Kind, time.Duration(us) * time.Microsecond, window}
}

// text is what the kernel reads, its NUL included: psi_write overwrites the
// last byte that it is given.
func (t Threshold) text() []byte {
	b := append(make([]byte, 0, 32), t.Kind.String()...)
	b = strconv.AppendInt(append(b, ' '), t.Stall.Microseconds(), 10)
	b = strconv.AppendInt(append(b, ' '), t.Window.Microseconds(), 10)
	return append(b, 0)
}

// Trigger is an armed pressure trigger. It has one owner, which closes it.
type Trigger struct {
	fd        sys.FD
	path      string
	threshold Threshold
}

// Arm sets a trigger on the pressure file at path; it stays set until Close.
// When the kernel refuses, the *Error matches ErrAbsent, ErrOff, ErrRefused or
// ErrPrivilege. After ErrPrivilege with State Limited the kernel still takes
// t.Unprivileged().
func Arm(path string, t Threshold) (*Trigger, error) {
	if err := t.Check(); err != nil {
		return nil, err
	}
	fd, do, e := arm(path, t)
	if e == sys.EINVAL && do == arming {
		return nil, explainEINVAL(path, t)
	}
	if e != 0 {
		return nil, refusal(do, path, e)
	}
	return &Trigger{fd: fd, path: path, threshold: t}, nil
}

// arm opens and writes, and says which of the two the kernel refused.
func arm(path string, t Threshold) (sys.FD, doing, sys.Errno) {
	fd, e := sys.OpenPath(path, sys.ReadWrite|sys.NonBlock)
	if e != 0 {
		return sys.FD{}, opening, e
	}
	if _, e = sys.Write(fd.Int(), t.text()); e != 0 {
		_ = fd.Close()
		return sys.FD{}, arming, e
	}
	return fd, arming, 0
}

// explainEINVAL finds out what EINVAL means for a threshold that is valid:
// since Linux 6.4 (stable 6.1) it is also the answer to a process without CAP_SYS_RESOURCE
// that asks for a window of other than 2 s steps.
func explainEINVAL(path string, t Threshold) error {
	free := t.Unprivileged()
	if free == t {
		return newError(Refuses, arming, path, sys.EINVAL)
	}
	fd, do, e := arm(path, free)
	switch e {
	case 0:
		_ = fd.Close()
		return newError(Limited, arming, path, sys.EINVAL)
	case sys.EINVAL:
		return newError(Refuses, arming, path, sys.EINVAL)
	}
	return refusal(do, path, e)
}

// Fd gives the descriptor to watch: EPOLLPRI says that the threshold was
// crossed, at most once a window and cleared by the wait itself; EPOLLERR says
// that the cgroup is gone and the trigger should be closed. It is borrowed
// until Close.
func (t *Trigger) Fd() int { return t.fd.Int() }

// Threshold gives what the trigger was armed with.
func (t *Trigger) Threshold() Threshold { return t.threshold }

// Path gives the pressure file that the trigger is set on.
func (t *Trigger) Path() string { return t.path }

// Close drops the trigger.
func (t *Trigger) Close() error { return t.fd.Close() }
