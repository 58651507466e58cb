package sys

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// BPFIterCreate opens a new pass of the BPF iterator behind link
// (BPF_ITER_CREATE, Linux 5.8): what is read from it is what the iterator's
// program wrote. It allocates nothing.
func BPFIterCreate(link int) (FD, Errno) {
	const iterCreate = 33
	attr := struct{ link, flags uint32 }{link: uint32(link)}
	n, _, e := unix.Syscall(unix.SYS_BPF, iterCreate, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr))
	if e != 0 {
		return FD{}, e
	}
	return NewFD(int(n)), 0
}
