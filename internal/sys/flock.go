package sys

import "golang.org/x/sys/unix"

// LockFile waits for the exclusive lock of the open file fd (flock(2)). The
// kernel gives it back when the file is closed, by the owner's death too.
func LockFile(fd int) Errno {
	for {
		if err := unix.Flock(fd, unix.LOCK_EX); err != unix.EINTR {
			return errno(err)
		}
	}
}
