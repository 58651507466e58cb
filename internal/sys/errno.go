package sys

import (
	"errors"

	"golang.org/x/sys/unix"
)

// Errno is the kernel's error number; 0 means success. As an error it matches
// errors.Is with the os sentinels (os.ErrNotExist, os.ErrPermission).
type Errno = unix.Errno

// The error numbers that callers branch on.
const (
	EACCES     = unix.EACCES
	EAGAIN     = unix.EAGAIN
	EBADF      = unix.EBADF
	ECHILD     = unix.ECHILD
	EEXIST     = unix.EEXIST
	EINTR      = unix.EINTR
	EINVAL     = unix.EINVAL
	EMFILE     = unix.EMFILE
	ENFILE     = unix.ENFILE
	ENOBUFS    = unix.ENOBUFS
	ENODEV     = unix.ENODEV
	ENOENT     = unix.ENOENT
	ENOMEM     = unix.ENOMEM
	ENOTDIR    = unix.ENOTDIR
	EROFS      = unix.EROFS
	ENOSYS     = unix.ENOSYS
	ENOTTY     = unix.ENOTTY
	EOPNOTSUPP = unix.EOPNOTSUPP
	EPIPE      = unix.EPIPE
	EPERM      = unix.EPERM
	ESRCH      = unix.ESRCH
	ETIMEDOUT  = unix.ETIMEDOUT
)

// Err gives e as an error, nil when e is 0.
func Err(e Errno) error {
	if e == 0 {
		return nil
	}
	return e
}

// errno narrows an error of x/sys/unix to its number.
func errno(err error) Errno {
	if err == nil {
		return 0
	}
	if e, ok := err.(unix.Errno); ok {
		return e
	}
	return unix.EIO
}

// ErrnoOf gives the error number inside err: 0 for nil, EIO for an error that
// did not come from the kernel.
func ErrnoOf(err error) Errno {
	if err == nil {
		return 0
	}
	if e := Errno(0); errors.As(err, &e) {
		return e
	}
	return unix.EIO
}

// ErrnoName gives the symbolic name of e, "ESRCH" for example, and "ok" for 0.
func ErrnoName(e Errno) string {
	if e == 0 {
		return "ok"
	}
	return unix.ErrnoName(e)
}
