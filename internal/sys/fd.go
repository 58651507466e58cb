package sys

import "golang.org/x/sys/unix"

// FD is one owned file descriptor. It has exactly one owner, which closes it
// once; the zero value owns nothing. It is not safe for concurrent use and
// must not be copied once opened.
type FD struct{ plusOne int32 }

// NewFD takes ownership of the descriptor n. A negative n gives the zero FD.
func NewFD(n int) FD { return FD{plusOne: int32(max(n, -1)) + 1} }

// Int gives the descriptor for a system call, -1 when f owns nothing. The
// number is borrowed: it is valid until Close.
func (f *FD) Int() int { return int(f.plusOne) - 1 }

// Open reports whether f owns a descriptor.
func (f *FD) Open() bool { return f.plusOne != 0 }

// Take moves the descriptor out of f; the caller owns it from then on.
func (f *FD) Take() FD {
	out := *f
	f.plusOne = 0
	return out
}

// Close gives the descriptor back. Closing the zero FD does nothing. EINTR is
// no error: on Linux the descriptor is gone by then.
func (f *FD) Close() error {
	if f.plusOne == 0 {
		return nil
	}
	n := f.Int()
	f.plusOne = 0
	if err := unix.Close(n); err != nil && err != unix.EINTR {
		return err
	}
	return nil
}

// Dup makes a second descriptor of the same open file, with O_CLOEXEC; both
// must be closed.
func Dup(fd int) (FD, Errno) {
	n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	return NewFD(n), errno(err)
}
