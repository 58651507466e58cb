package sys

import "golang.org/x/sys/unix"

// The readiness bits that callers ask for and read.
const (
	In   uint32 = unix.EPOLLIN
	Pri  uint32 = unix.EPOLLPRI
	Fail uint32 = unix.EPOLLERR
	Hup  uint32 = unix.EPOLLHUP
	Edge uint32 = unix.EPOLLET
)

// Event is one readiness: the token given to Add and the bits that are set.
type Event struct {
	Token uint64
	Ready uint32
}

// Epoll is an epoll instance of our own. Go's poller never asks for EPOLLPRI,
// which is what PSI triggers raise.
type Epoll struct {
	fd  FD
	raw []unix.EpollEvent
}

// NewEpoll makes an instance that returns up to size events a wait.
func NewEpoll(size int) (*Epoll, error) {
	n, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, &OpError{"create epoll", errno(err)}
	}
	return &Epoll{fd: NewFD(n), raw: make([]unix.EpollEvent, size)}, nil
}

// Add watches fd for the ready bits and reports them with token.
func (p *Epoll) Add(fd int, ready uint32, token uint64) Errno {
	return p.ctl(unix.EPOLL_CTL_ADD, fd, ready, token)
}

// Modify changes the bits or the token of a watched fd.
func (p *Epoll) Modify(fd int, ready uint32, token uint64) Errno {
	return p.ctl(unix.EPOLL_CTL_MOD, fd, ready, token)
}

// Remove stops watching fd. Closing the last copy of fd does so too.
func (p *Epoll) Remove(fd int) Errno {
	return p.ctl(unix.EPOLL_CTL_DEL, fd, 0, 0)
}

func (p *Epoll) ctl(op, fd int, ready uint32, token uint64) Errno {
	ev := unix.EpollEvent{Events: ready, Fd: int32(uint32(token)), Pad: int32(uint32(token >> 32))}
	return errno(unix.EpollCtl(p.fd.Int(), op, fd, &ev))
}

// Wait blocks until something is ready or timeoutMS has passed; -1 waits for
// ever, 0 only looks. Events go to out, at most len(out) of them. A signal ends
// the wait with no event and no error.
func (p *Epoll) Wait(out []Event, timeoutMS int) (int, Errno) {
	n, err := unix.EpollWait(p.fd.Int(), p.raw[:min(len(p.raw), len(out))], timeoutMS)
	if err == unix.EINTR {
		return 0, 0
	}
	if err != nil {
		return 0, errno(err)
	}
	for i := range n {
		ev := &p.raw[i]
		out[i] = Event{Token: uint64(uint32(ev.Fd)) | uint64(uint32(ev.Pad))<<32, Ready: ev.Events}
	}
	return n, 0
}

// Fd gives the instance's own descriptor, readable when a member is ready.
func (p *Epoll) Fd() int { return p.fd.Int() }

// Close gives the instance back; its members stay open.
func (p *Epoll) Close() error { return p.fd.Close() }

// Eventfd is a counter that wakes an epoll from another thread.
type Eventfd struct{ fd FD }

// NewEventfd makes a non-blocking eventfd (eventfd(2)).
func NewEventfd() (*Eventfd, error) {
	n, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, &OpError{"create eventfd", errno(err)}
	}
	return &Eventfd{NewFD(n)}, nil
}

// Fd gives the descriptor, readable after Notify.
func (e *Eventfd) Fd() int { return e.fd.Int() }

// Notify makes the descriptor readable. It never blocks and never allocates.
func (e *Eventfd) Notify() {
	one := [8]byte{1}
	_, _ = Write(e.fd.Int(), one[:])
}

// Clear takes the readiness back and tells whether there was any. It never
// blocks.
func (e *Eventfd) Clear() bool {
	var b [8]byte
	n, _ := Read(e.fd.Int(), b[:])
	return n == len(b)
}

// Close gives the descriptor back.
func (e *Eventfd) Close() error { return e.fd.Close() }

// OpError says what was being done when the kernel refused.
type OpError struct {
	Doing string // "open pidfd 4711"
	Errno Errno
}

func (e *OpError) Error() string { return e.Doing + ": " + e.Errno.Error() }

// Unwrap gives the error number for errors.Is.
func (e *OpError) Unwrap() error { return e.Errno }
