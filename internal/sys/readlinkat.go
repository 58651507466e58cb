package sys

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// ReadLinkAt is ReadLink below the directory dir.
func ReadLinkAt(dir int, path, buf []byte) (int, Errno) {
	if len(path) == 0 || path[len(path)-1] != 0 || len(buf) == 0 {
		panic("sys: ReadLinkAt wants a path with its NUL, and a buffer")
	}
	n, _, e := unix.RawSyscall6(unix.SYS_READLINKAT, uintptr(dir), uintptr(unsafe.Pointer(&path[0])),
		uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)), 0, 0)
	if e != 0 {
		return 0, e
	}
	return int(n), 0
}
