package memevent

import (
	"errors"

	"github.com/cilium/ebpf"

	"github.com/lmkd/lmkd/internal/sys"
)

// Error says what was being done, what the kernel answered, and what cures it.
type Error struct {
	Doing string // "create BPF ring buffer"
	Cure  string // a sentence for the person who runs the machine
	Err   error  // the kernel's answer
}

// Error gives the whole sentence, the cure included.
func (e *Error) Error() string { return e.Doing + ": " + e.Err.Error() + ": " + e.Cure }

// Unwrap gives the kernel's answer to errors.Is.
func (e *Error) Unwrap() error { return e.Err }

// The cures.
const (
	curePrivilege  = "give the process CAP_BPF and CAP_PERFMON, or CAP_SYS_ADMIN (before Linux 5.11 LimitMEMLOCK=infinity as well); a container's seccomp filter may refuse it all the same"
	cureNoBPF      = "use a kernel with CONFIG_BPF_SYSCALL and CONFIG_BPF_EVENTS"
	cureTooOld     = "use Linux 5.8 or newer, which brought the BPF ring buffer"
	cureTracepoint = "use a kernel with CONFIG_TRACEPOINTS and CONFIG_BPF_EVENTS"
	cureMemory     = "raise RLIMIT_MEMLOCK (LimitMEMLOCK=), or free memory"
	cureOther      = "please report this kernel"
	cureTracefs    = "mount -t tracefs tracefs /sys/kernel/tracing"
	cureNoEvent    = "boot without lockdown=confidentiality, which empties tracefs, or use a kernel with event tracing (CONFIG_FTRACE)"
	cureFormat     = "please report this kernel's events/oom/mark_victim/format"
)

// explain finds the cure for an answer of the kernel. What the verifier objects
// to is our fault and no matter of privilege; of everything else the errno says
// it all.
func explain(doing string, err error) error {
	var verifier *ebpf.VerifierError
	if errors.As(err, &verifier) && len(verifier.Log) > 0 {
		return &Error{Doing: doing, Cure: cureOther, Err: err}
	}
	var e sys.Errno
	if errors.As(err, &e) {
		err = e
	}
	return &Error{Doing: doing, Cure: cureOf(err), Err: err}
}

func cureOf(err error) string {
	switch {
	case errors.Is(err, sys.ENOSYS):
		return cureNoBPF
	case errors.Is(err, sys.EPERM), errors.Is(err, sys.EACCES):
		return curePrivilege
	case errors.Is(err, sys.ENOENT):
		return cureTracepoint
	case errors.Is(err, sys.ENOMEM):
		return cureMemory
	case errors.Is(err, sys.EINVAL), errors.Is(err, ebpf.ErrNotSupported):
		return cureTooOld
	}
	return cureOther
}
