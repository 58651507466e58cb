package systest

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// LimitFiles lets this process have no more than count descriptors from now on.
func LimitFiles(count uint64) error {
	return unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: count, Max: count})
}

// PageOut asks the kernel to swap out the whole pages of memory (madvise(2),
// MADV_PAGEOUT, Linux 5.4). Without swap it does nothing.
func PageOut(memory []byte) error {
	size := unix.Getpagesize()
	skip := -int(uintptr(unsafe.Pointer(&memory[0]))) & (size - 1)
	whole := (len(memory) - skip) &^ (size - 1)
	return unix.Madvise(memory[skip:skip+whole], unix.MADV_PAGEOUT)
}
