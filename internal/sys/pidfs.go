package sys

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// pidfsMagic is PID_FS_MAGIC of include/uapi/linux/magic.h.
const pidfsMagic = 0x50494446

// PidfdInode gives the inode of pidfd on pidfs (Linux 6.9): a number that no
// other process gets before the next boot. 0 when pidfds have no inode of
// their own here, which is every older kernel.
func PidfdInode(pidfd int) uint64 {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(pidfd, &fs); err != nil || int64(fs.Type) != pidfsMagic {
		return 0
	}
	var st unix.Stat_t
	if err := unix.Fstat(pidfd, &st); err != nil {
		return 0
	}
	return st.Ino
}

// ReadLink reads the target of the symbolic link path, NUL-terminated, into
// buf: the number of bytes. It panics when path lacks its NUL.
func ReadLink(path, buf []byte) (int, Errno) {
	if len(path) == 0 || path[len(path)-1] != 0 {
		panic("sys: ReadLink path lacks its NUL")
	}
	cwd := CWD
	n, _, e := unix.Syscall6(unix.SYS_READLINKAT, uintptr(cwd), uintptr(unsafe.Pointer(&path[0])),
		uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)), 0, 0)
	if e != 0 {
		return 0, e
	}
	return int(n), 0
}

// SignalName gives the symbolic name of a signal, "SIGKILL", and "" for a
// number without one.
func SignalName(sig int) string { return unix.SignalName(unix.Signal(sig)) }
