package sys

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// SIGKILL and SIGTERM are the signals that a killer sends.
const (
	SIGKILL = int(unix.SIGKILL)
	SIGTERM = int(unix.SIGTERM)
)

// PidfdOpen opens the process pid (pidfd_open(2), Linux 5.3). ESRCH when there
// is none; ENOENT, or EINVAL before 6.9, when pid is a thread and no process.
func PidfdOpen(pid int) (FD, Errno) {
	n, _, e := unix.Syscall(unix.SYS_PIDFD_OPEN, uintptr(pid), 0, 0)
	if e != 0 {
		return FD{}, e
	}
	return NewFD(int(n)), 0
}

// PidfdSignal sends sig to the process behind pidfd (pidfd_send_signal(2),
// Linux 5.1). A zombie takes a signal without complaint.
func PidfdSignal(pidfd, sig int) Errno {
	_, _, e := unix.Syscall6(unix.SYS_PIDFD_SEND_SIGNAL, uintptr(pidfd), uintptr(sig), 0, 0, 0, 0)
	return e
}

// ProcessMrelease frees the memory of the dying process behind pidfd in the
// caller's time (process_mrelease(2), Linux 5.15). EINVAL: not dying, or its
// address space is shared with a living process; ESRCH: the memory is gone
// already; EAGAIN: the address space is locked, try again; ENOSYS: too old.
func ProcessMrelease(pidfd int) Errno {
	_, _, e := unix.Syscall(unix.SYS_PROCESS_MRELEASE, uintptr(pidfd), 0, 0)
	return e
}

// PollIn looks, without waiting, which of In, Hup and Fail fd has.
func PollIn(fd int) (uint32, Errno) {
	return PollFor(fd, 0)
}

// PollFor waits up to timeoutMS (-1 for ever) for fd to be readable and gives
// its bits, 0 after the timeout.
func PollFor(fd, timeoutMS int) (uint32, Errno) {
	p := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	_, err := unix.Poll(p[:], timeoutMS)
	if err == unix.EINTR {
		return 0, 0
	}
	return uint32(uint16(p[0].Revents)), errno(err)
}

// PidfdInfo is the part of struct pidfd_info that says who a process is and
// how it ended (include/uapi/linux/pidfd.h).
type PidfdInfo struct {
	PID, TGID, PPID int
	// CgroupID is the inode of its v2 cgroup, 0 when not told.
	CgroupID uint64
	// Exited is true when the kernel told the exit status (Linux 6.15);
	// Status is then the wait status, as wait(2) encodes it.
	Exited bool
	Status uint32
}

const (
	pidfdInfoPID    = 1 << 0
	pidfdInfoCgroup = 1 << 2
	pidfdInfoExit   = 1 << 3
	// _IOWR(0xFF, 11, 64 bytes): PIDFD_GET_INFO with PIDFD_INFO_SIZE_VER0.
	pidfdGetInfo = 0xC040FF0B
)

type rawPidfdInfo struct {
	mask, cgroupID                 uint64
	pid, tgid, ppid                uint32
	ruid, rgid, euid, egid         uint32
	suid, sgid, fsuid, fsgid, exit uint32
}

// GetPidfdInfo asks the kernel about pidfd (ioctl PIDFD_GET_INFO, Linux 6.13).
// ENOTTY on older kernels, ESRCH once the process was reaped and the kernel
// keeps no exit status for it (before 6.15).
func GetPidfdInfo(pidfd int) (PidfdInfo, Errno) {
	raw := rawPidfdInfo{mask: pidfdInfoPID | pidfdInfoCgroup | pidfdInfoExit}
	_, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(pidfd), pidfdGetInfo, uintptr(unsafe.Pointer(&raw)))
	if e != 0 {
		return PidfdInfo{}, e
	}
	info := PidfdInfo{PID: int(raw.pid), TGID: int(raw.tgid), PPID: int(raw.ppid)}
	if raw.mask&pidfdInfoCgroup != 0 {
		info.CgroupID = raw.cgroupID
	}
	if raw.mask&pidfdInfoExit != 0 {
		info.Exited, info.Status = true, raw.exit
	}
	return info, 0
}
