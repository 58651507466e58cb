package sys

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// The options of a WaitID that callers combine (waitid(2)).
const (
	WaitExited    = unix.WEXITED
	WaitStopped   = unix.WSTOPPED
	WaitContinued = unix.WCONTINUED
	WaitNoHang    = unix.WNOHANG
	WaitNoReap    = unix.WNOWAIT
)

// WaitPidfd asks for the state change of the child behind pidfd (waitid(2)
// with P_PIDFD, Linux 5.4): its wait status, and whether there was a change.
// ECHILD: no child of ours; EINVAL: too old.
func WaitPidfd(pidfd, options int) (status uint32, changed bool, e Errno) {
	return waitID(unix.P_PIDFD, pidfd, options)
}

// WaitPID is WaitPidfd for a child named by its pid: a parent that alone reaps
// its children knows that the pid is not reused.
func WaitPID(pid, options int) (status uint32, changed bool, e Errno) {
	return waitID(unix.P_PID, pid, options)
}

// siginfo is siginfo_t as waitid fills it; the union begins at the first
// offset that a pointer may have.
type siginfo struct {
	head [3]int32 // signo, errno, code; signo, code, errno on MIPS
	body struct {
		_      [0]uintptr
		pid    int32
		uid    uint32
		status int32
	}
	_ [128 - 12 - 12 - 4]byte
}

func waitID(kind, id, options int) (uint32, bool, Errno) {
	var info siginfo
	for {
		_, _, e := unix.Syscall6(unix.SYS_WAITID, uintptr(kind), uintptr(id),
			uintptr(unsafe.Pointer(&info)), uintptr(options), 0, 0)
		if e == EINTR {
			continue
		}
		if e != 0 || info.body.pid == 0 {
			return 0, false, e
		}
		return waitStatus(info.head[2], info.body.status), true, 0
	}
}

// waitStatus turns the code and the status of a siginfo (CLD_EXITED and its
// kin) into the one number that wait(2) would give.
func waitStatus(code, status int32) uint32 {
	const exited, killed, dumped, continued = 1, 2, 3, 6
	switch code {
	case exited:
		return uint32(status&0xff) << 8
	case killed:
		return uint32(status & 0x7f)
	case dumped:
		return uint32(status&0x7f) | 0x80
	case continued:
		return 0xffff
	default: // trapped, stopped
		return uint32(status&0xff)<<8 | 0x7f
	}
}
