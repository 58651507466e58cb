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

// SwapOnAt makes the prepared device or file path swap space of a priority from 0
// on (swapon(2), SWAP_FLAG_PREFER).
func SwapOnAt(path string, priority int) error {
	const prefer = 0x8000
	p, err := unix.BytePtrFromString(path)
	if err != nil {
		return err
	}
	if _, _, e := unix.Syscall(unix.SYS_SWAPON, uintptr(unsafe.Pointer(p)), uintptr(prefer|priority), 0); e != 0 {
		return e
	}
	return nil
}

// SwapOff takes the swap device path out of use (swapoff(2)).
func SwapOff(path string) error {
	p, err := unix.BytePtrFromString(path)
	if err != nil {
		return err
	}
	if _, _, e := unix.Syscall(unix.SYS_SWAPOFF, uintptr(unsafe.Pointer(p)), 0, 0); e != 0 {
		return e
	}
	return nil
}
