package sys

import (
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// The parts of a status that WaitTracee gives for a stop of a seized task:
// TraceStop is its event (PTRACE_EVENT_STOP).
const (
	TraceStop = 128

	SIGSTOP = int(unix.SIGSTOP)
	SIGTSTP = int(unix.SIGTSTP)
	SIGTTIN = int(unix.SIGTTIN)
	SIGTTOU = int(unix.SIGTTOU)
	SIGCONT = int(unix.SIGCONT)
	SIGTRAP = int(unix.SIGTRAP)
)

// WaitAll waits for tracees and for children of every kind (__WALL).
const WaitAll = unix.WALL

// Seize attaches the calling thread to the task pid as its tracer, without
// stopping it (PTRACE_SEIZE, Linux 3.4). EPERM: not permitted, traced by another,
// or dead; ESRCH: no such task. All further requests must come from the same
// thread.
func Seize(pid int) Errno { return ptrace(unix.PTRACE_SEIZE, pid, 0) }

// TraceContinue lets a stopped tracee go on, with the signal sig if not 0.
func TraceContinue(pid, sig int) Errno { return ptrace(unix.PTRACE_CONT, pid, sig) }

// TraceListen leaves a tracee in the group stop that it is in, and reports its
// end (PTRACE_LISTEN).
func TraceListen(pid int) Errno { return ptrace(unix.PTRACE_LISTEN, pid, 0) }

// TraceInterrupt asks a running or listening tracee to stop (PTRACE_INTERRUPT).
func TraceInterrupt(pid int) Errno { return ptrace(unix.PTRACE_INTERRUPT, pid, 0) }

// TraceDetach lets a stopped tracee go for good, with the signal sig if not 0.
func TraceDetach(pid, sig int) Errno { return ptrace(unix.PTRACE_DETACH, pid, sig) }

func ptrace(request, pid, data int) Errno {
	_, _, e := unix.Syscall6(unix.SYS_PTRACE, uintptr(request), uintptr(pid), 0, uintptr(data), 0, 0)
	return e
}

// Exists asks for the existence of a process or thread by its pid (kill(2) with
// the signal 0): 0 or EPERM when there is one, ESRCH when there is none.
func Exists(pid int) Errno { return errno(unix.Kill(pid, 0)) }

// NotifyChildren has the death and the stops of children and tracees announced
// on c, of which several may be one value. The function that it gives ends it.
func NotifyChildren(c chan os.Signal) (stop func()) {
	signal.Notify(c, unix.SIGCHLD)
	return func() { signal.Stop(c) }
}

// WaitTracee takes the state change that the tracee or child pid has, without
// waiting, and lets the kernel forget it: the whole status, of a stop with its
// event in the bits from 16 up (wait4(2) with __WALL). 0 when there is none.
func WaitTracee(pid int) (status uint32, e Errno) {
	var ws unix.WaitStatus
	for {
		n, err := unix.Wait4(pid, &ws, unix.WALL|unix.WNOHANG, nil)
		if err == unix.EINTR {
			continue
		}
		if n <= 0 {
			return 0, errno(err)
		}
		return uint32(ws), 0
	}
}
