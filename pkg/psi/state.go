package psi

import (
	"errors"

	"github.com/lmkd/lmkd/internal/sys"
)

// State says what a pressure file is good for.
type State uint8

// The states from best to worst.
const (
	Works          State = iota // readable, and takes triggers of every window
	Limited                     // readable, takes only windows of 2 s steps: CAP_SYS_RESOURCE is missing (Linux 6.4)
	NeedsPrivilege              // readable, takes no trigger from this process
	Refuses                     // readable, takes no trigger from anyone
	Off                         // the kernel has pressure, switched off
	Absent                      // no such file
)

var stateNames = [...]string{
	"works",
	"takes only 2 s windows without privilege",
	"needs privilege",
	"refuses triggers",
	"off",
	"absent",
}

func (s State) String() string { return stateNames[s] }

// The sentinels that an *Error matches, for callers that branch.
var (
	ErrAbsent    = errors.New("no pressure information")                 // Absent
	ErrOff       = errors.New("pressure information is switched off")    // Off
	ErrRefused   = errors.New("refuses triggers")                        // Refuses
	ErrPrivilege = errors.New("refuses triggers without more privilege") // Limited, NeedsPrivilege
)

func (s State) sentinel() error {
	switch s {
	case Limited, NeedsPrivilege:
		return ErrPrivilege
	case Refuses:
		return ErrRefused
	case Off:
		return ErrOff
	}
	return ErrAbsent
}

// Error says what was being done with a pressure file, why the kernel refused,
// and what cures it.
type Error struct {
	State State
	Doing string // "arm pressure trigger on /proc/pressure/memory"
	Cure  string // a sentence for the person who runs the machine
	Errno error  // the kernel's answer
}

// Error gives the whole sentence, the cure included.
func (e *Error) Error() string {
	return e.Doing + ": " + e.State.sentinel().Error() + " (" + e.Errno.Error() + "): " + e.Cure
}

// Unwrap gives the sentinel and the kernel's answer to errors.Is.
func (e *Error) Unwrap() []error { return []error{e.State.sentinel(), e.Errno} }

// doing is a step at which a pressure file can fail.
type doing uint8

const (
	opening doing = iota
	reading
	arming
)

func (d doing) on(path string) string {
	return [...]string{"open pressure file ", "read pressure file ", "arm pressure trigger on "}[d] + path
}

// refusal turns the kernel's answer into an *Error, or into a plain error where
// it says nothing about pressure (ENOMEM, EMFILE).
func refusal(do doing, path string, e sys.Errno) error {
	switch e {
	case sys.ENOENT, sys.ENOTDIR, sys.ENODEV:
		state, cure := whyMissing(path)
		return &Error{State: state, Doing: do.on(path), Cure: cure, Errno: e}
	case sys.EOPNOTSUPP:
		return newError(Off, do, path, e)
	case sys.EPERM:
		return newError(NeedsPrivilege, do, path, e)
	case sys.EACCES:
		return &Error{State: NeedsPrivilege, Doing: do.on(path), Cure: cureOwner, Errno: e}
	case sys.EROFS:
		return &Error{State: Refuses, Doing: do.on(path), Cure: cureReadOnly, Errno: e}
	case sys.EINVAL:
		return newError(Refuses, do, path, e)
	}
	return &sys.OpError{Doing: do.on(path), Errno: e}
}

func newError(s State, do doing, path string, e sys.Errno) error {
	return &Error{State: s, Doing: do.on(path), Cure: cures[s], Errno: e}
}

// Probe finds out which State the pressure file at path is in, by reading it
// and by arming a trigger with a window of 1 s that it drops at once. The error
// is nil for Works and explains every other state; it is no *Error, with State
// Absent, when the kernel failed in a way that says nothing about pressure.
func Probe(path string) (State, error) {
	if err := probeRead(path); err != nil {
		return stateOf(err), err
	}
	t, err := Arm(path, Threshold{Some, MinWindow, 2 * MinWindow})
	if err != nil {
		return stateOf(err), err
	}
	return Works, t.Close()
}

func probeRead(path string) error {
	f, err := Open(path)
	if err != nil {
		return err
	}
	var buf [BufferSize]byte
	_, err = f.Read(buf[:])
	return errors.Join(err, f.Close())
}

func stateOf(err error) State {
	var e *Error
	if errors.As(err, &e) {
		return e.State
	}
	return Absent
}
