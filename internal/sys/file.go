package sys

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// The open flags that callers combine. O_CLOEXEC is added by every open.
const (
	ReadOnly  = unix.O_RDONLY
	WriteOnly = unix.O_WRONLY
	ReadWrite = unix.O_RDWR
	NonBlock  = unix.O_NONBLOCK
	Directory = unix.O_DIRECTORY
	PathOnly  = unix.O_PATH
)

// CWD, as the directory of an OpenAt, means the working directory.
const CWD = unix.AT_FDCWD

// OpenPath opens path with O_CLOEXEC.
func OpenPath(path string, flags int) (FD, Errno) {
	for {
		n, err := unix.Open(path, flags|unix.O_CLOEXEC, 0)
		if err != unix.EINTR {
			return NewFD(n), errno(err)
		}
	}
}

// OpenAt opens a NUL-terminated path below the directory dir, without
// allocating. It panics when path lacks its NUL.
func OpenAt(dir int, path []byte, flags int) (FD, Errno) {
	if len(path) == 0 || path[len(path)-1] != 0 {
		panic("sys: OpenAt path lacks its NUL")
	}
	for {
		n, _, e := unix.Syscall6(unix.SYS_OPENAT, uintptr(dir), uintptr(unsafe.Pointer(&path[0])),
			uintptr(flags|unix.O_CLOEXEC), 0, 0, 0)
		if e == 0 {
			return NewFD(int(n)), 0
		}
		if e != unix.EINTR {
			return FD{}, e
		}
	}
}

// ReadAt reads from offset off of fd into buf: the number of bytes, 0 at the end.
func ReadAt(fd int, buf []byte, off int64) (int, Errno) {
	for {
		n, err := unix.Pread(fd, buf, off)
		if err != unix.EINTR {
			return max(n, 0), errno(err)
		}
	}
}

// Read reads from fd into buf: the number of bytes, 0 at the end.
func Read(fd int, buf []byte) (int, Errno) {
	for {
		n, err := unix.Read(fd, buf)
		if err != unix.EINTR {
			return max(n, 0), errno(err)
		}
	}
}

// Write writes buf to fd in one call, as pseudo files want it.
func Write(fd int, buf []byte) (int, Errno) {
	for {
		n, err := unix.Write(fd, buf)
		if err != unix.EINTR {
			return max(n, 0), errno(err)
		}
	}
}

// ReadFileAt reads the whole small file path (NUL-terminated) below dir into
// buf and gives the filled part. A file that is longer than buf is cut.
func ReadFileAt(dir int, path, buf []byte) ([]byte, Errno) {
	fd, e := OpenAt(dir, path, ReadOnly)
	if e != 0 {
		return nil, e
	}
	n, e := ReadFull(fd.Int(), buf)
	_ = fd.Close()
	return buf[:n], e
}

// ReadFull reads fd from offset 0 until buf is full or the file ends.
func ReadFull(fd int, buf []byte) (int, Errno) {
	n := 0
	for n < len(buf) {
		m, e := ReadAt(fd, buf[n:], int64(n))
		if e != 0 {
			return n, e
		}
		if m == 0 {
			break
		}
		n += m
	}
	return n, 0
}

// Getdents fills buf with raw linux_dirent64 records of the directory fd; 0
// bytes is the end. NextDirent takes them apart.
func Getdents(fd int, buf []byte) (int, Errno) {
	n, err := unix.Getdents(fd, buf)
	return max(n, 0), errno(err)
}

// Rewind sets the read position of the directory fd to its start.
func Rewind(fd int) Errno {
	_, err := unix.Seek(fd, 0, unix.SEEK_SET)
	return errno(err)
}

// DirentIsDir tells whether the first record of buf is a directory, on a file
// system that says so (procfs and cgroupfs do).
func DirentIsDir(buf []byte) bool { return len(buf) > 18 && buf[18] == unix.DT_DIR }

// NextDirent splits the first record off buf: its name, a slice of buf, and the
// rest. A record cut short gives a nil name.
func NextDirent(buf []byte) (name, rest []byte) {
	const header = 19 // d_ino 8, d_off 8, d_reclen 2, d_type 1
	if len(buf) < header {
		return nil, nil
	}
	size := int(buf[16]) | int(buf[17])<<8
	if size < header || size > len(buf) {
		return nil, nil
	}
	name = buf[header:size]
	for i, c := range name {
		if c == 0 {
			name = name[:i]
			break
		}
	}
	return name, buf[size:]
}
