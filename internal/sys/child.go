package sys

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// SignalTerminate, as a value for os/signal and os.Process, is SIGTERM.
const SignalTerminate = syscall.SIGTERM

// DieWithParent are the attributes of a child that gets SIGKILL when the
// thread that started it ends (PR_SET_PDEATHSIG): lock that thread first.
func DieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

// NewSession are the attributes of a child that leads a session of its own.
func NewSession() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// LeadGroup makes the process lead a process group of its own, as a shell does
// with a job.
func LeadGroup() error {
	if err := unix.Setpgid(0, 0); err != nil {
		return &OpError{"make a process group", errno(err)}
	}
	return nil
}

// WaitAny waits for the end of any child and reaps it: its pid and its wait
// status. It is for a process that reaps all its children here, as init does.
// ECHILD when there are none.
func WaitAny() (pid int, status uint32, e Errno) {
	var ws unix.WaitStatus
	for {
		n, err := unix.Wait4(-1, &ws, 0, nil)
		if err != unix.EINTR {
			return n, uint32(ws), errno(err)
		}
	}
}

// EndOf takes a wait status apart: the exit code, or the signal that ended it.
func EndOf(status uint32) (code, signal int) {
	ws := unix.WaitStatus(status)
	if ws.Signaled() {
		return -1, int(ws.Signal())
	}
	return ws.ExitStatus(), 0
}
