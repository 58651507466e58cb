package sys

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// ReadOnceAt opens the NUL-terminated path below the directory dir, reads once
// from offset off into buf, and closes it: three system calls and no
// allocation. A file of /proc/PID gives all that fits into buf in one read, so
// that fewer bytes than len(buf) are the end of the file.
func ReadOnceAt(dir int, path []byte, off int64, buf []byte) (int, Errno) {
	fd, e := OpenAt(dir, path, ReadOnly)
	if e != 0 {
		return 0, e
	}
	var n int
	if off == 0 {
		n, e = Read(fd.Int(), buf)
	} else {
		n, e = ReadAt(fd.Int(), buf, off)
	}
	_ = fd.Close()
	return n, e
}

// ReadQuickAt is ReadOnceAt from the start of a file that never makes its reader
// wait, such as /proc/PID/statm. Go's scheduler is not told of the system calls,
// so that the caller cannot lose its turn to run over them: a tenth of the time
// of a scan, and all of the wait where CPUs are short.
func ReadQuickAt(dir int, path, buf []byte) (int, Errno) {
	if len(path) == 0 || path[len(path)-1] != 0 || len(buf) == 0 {
		panic("sys: ReadQuickAt wants a path with its NUL, and a buffer")
	}
	fd, _, e := unix.RawSyscall6(unix.SYS_OPENAT, uintptr(dir), uintptr(unsafe.Pointer(&path[0])),
		unix.O_RDONLY|unix.O_CLOEXEC, 0, 0, 0)
	if e != 0 {
		return 0, e
	}
	n, _, e := unix.RawSyscall(unix.SYS_READ, fd, uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)))
	unix.RawSyscall(unix.SYS_CLOSE, fd, 0, 0)
	if e != 0 {
		return 0, e
	}
	return int(n), 0
}
