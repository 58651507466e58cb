package sys

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// What a Change tells of (inotify(7)).
const (
	Made    uint32 = unix.IN_CREATE | unix.IN_MOVED_TO
	Removed uint32 = unix.IN_DELETE | unix.IN_MOVED_FROM | unix.IN_DELETE_SELF
	// Unwatched: the watch is gone, for its directory is.
	Unwatched uint32 = unix.IN_IGNORED
	// Missed: so much changed that the kernel dropped some of it.
	Missed uint32 = unix.IN_Q_OVERFLOW
)

// Change is one change of a watched directory.
type Change struct {
	Watch int    // as WatchDir gave it, -1 with Missed
	What  uint32 // bits of Made, Removed, Unwatched, Missed
	Name  string // of the entry that changed, "" for the directory itself
}

// Inotify tells of directories that come and go below watched ones.
type Inotify struct {
	fd  FD
	buf []byte
}

// NewInotify makes a non-blocking instance without watches.
func NewInotify() (*Inotify, error) {
	n, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, &OpError{"create inotify", errno(err)}
	}
	return &Inotify{fd: NewFD(n), buf: make([]byte, 64<<10)}, nil
}

// WatchDir watches what is made and removed in the directory at path. A
// directory that is watched already gives its number again.
func (i *Inotify) WatchDir(path string) (watch int, e Errno) {
	const what = unix.IN_CREATE | unix.IN_DELETE | unix.IN_MOVED_FROM | unix.IN_MOVED_TO |
		unix.IN_DELETE_SELF | unix.IN_ONLYDIR | unix.IN_DONT_FOLLOW | unix.IN_EXCL_UNLINK
	n, err := unix.InotifyAddWatch(i.fd.Int(), path, what)
	return n, errno(err)
}

// Unwatch gives a watch back; of one whose directory is gone there is nothing
// to give.
func (i *Inotify) Unwatch(watch int) {
	_, _ = unix.InotifyRmWatch(i.fd.Int(), uint32(watch))
}

// Changes hands what waits to each, in its order, and never blocks.
func (i *Inotify) Changes(each func(Change)) Errno {
	for {
		n, e := Read(i.fd.Int(), i.buf)
		if e == EAGAIN || n == 0 {
			return 0
		}
		if e != 0 {
			return e
		}
		for rest := i.buf[:n]; len(rest) >= unix.SizeofInotifyEvent; {
			var c Change
			c, rest = nextChange(rest)
			each(c)
		}
	}
}

// nextChange splits the first struct inotify_event off buf: wd, mask, cookie and
// len of 4 bytes each, and a name padded with NULs.
func nextChange(buf []byte) (Change, []byte) {
	c := Change{Watch: int(int32(binary.NativeEndian.Uint32(buf))), What: binary.NativeEndian.Uint32(buf[4:])}
	end := min(unix.SizeofInotifyEvent+int(binary.NativeEndian.Uint32(buf[12:])), len(buf))
	name := buf[unix.SizeofInotifyEvent:end]
	for i, b := range name {
		if b == 0 {
			name = name[:i]
			break
		}
	}
	c.Name = string(name)
	return c, buf[end:]
}

// Fd gives the descriptor, readable while changes wait.
func (i *Inotify) Fd() int { return i.fd.Int() }

// Close gives the instance and its watches back.
func (i *Inotify) Close() error { return i.fd.Close() }
