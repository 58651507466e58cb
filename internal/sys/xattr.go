package sys

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// GetXattr reads the extended attribute name (NUL-terminated) of the open file
// into buf: its length. ENODATA is an attribute that is not set, ERANGE one that
// is longer than buf.
func GetXattr(fd int, name, buf []byte) (int, Errno) {
	if len(name) == 0 || name[len(name)-1] != 0 || len(buf) == 0 {
		panic("sys: GetXattr wants a name with its NUL, and a buffer")
	}
	n, _, e := unix.Syscall6(unix.SYS_FGETXATTR, uintptr(fd), uintptr(unsafe.Pointer(&name[0])),
		uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)), 0, 0)
	if e != 0 {
		return 0, e
	}
	return int(n), 0
}

// Owner gives the user who owns the open file.
func Owner(fd int) (uid uint32, e Errno) {
	var st unix.Stat_t
	err := unix.Fstat(fd, &st)
	return st.Uid, errno(err)
}
