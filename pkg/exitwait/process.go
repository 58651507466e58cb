package exitwait

import (
	"context"
	"sync"

	"github.com/lmkd/lmkd/internal/sys"
)

// Process is an open identity: whatever happens to the pid, it means the one
// process that was opened. The zero value is closed. All methods may be called
// from any goroutine, and any number may wait at once; a Process must not be
// copied.
type Process struct {
	id identity // start 0: /proc hides it

	mu      sync.Mutex
	fd      sys.FD       // the pidfd; or, without one:
	src     source       // what tells of the exit
	bell    *sys.Eventfd // made readable at the exit
	dead    bool
	exit    Exit
	done    chan struct{} // closed at the exit; nil until somebody waits
	closing chan struct{} // closed by Close; nil until somebody waits
	last    Change
	changed chan struct{} // closed at the next change; nil until somebody waits
}

// PID gives the pid that was opened, in the caller's pid namespace.
func (p *Process) PID() int { return p.id.pid }

// StartTime gives the start of the process in clock ticks since boot (field 22
// of /proc/PID/stat); with the pid and the boot it is an identity. 0 when /proc
// hides the process.
func (p *Process) StartTime() uint64 { return p.id.start }

// Fd gives a descriptor for the caller's own poll or epoll, readable (EPOLLIN)
// once the process has exited; -1 when p is closed. It is borrowed until Close.
func (p *Process) Fd() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.number()
}

func (p *Process) number() int {
	if p.src != nil {
		return p.bell.Fd()
	}
	return p.fd.Int()
}

func (p *Process) opened() bool { return p.src != nil || p.fd.Open() }

// TryWait looks, without waiting, how the process ended: ErrRunning when it has
// not, ErrClosed when p is closed. A status that is not known may become known
// with a later call: when a zombie that may not be inspected is reaped.
func (p *Process) TryWait() (Exit, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if src := p.src; src != nil && !p.exit.Known {
		p.mu.Unlock() // it may have to tell p
		src.refresh()
		p.mu.Lock()
	}
	return p.look()
}

// look gives what is known, asking the pidfd if there is one: twice, because in
// the instant in which a thread takes over its leader's pid in an exec the kernel
// may show the old leader's death (pidfd_poll reads task and exit state without
// a lock; seen on 6.18, three times in 3,000 such execs that were polled without
// end).
func (p *Process) look() (Exit, error) {
	switch {
	case !p.opened():
		return Exit{}, ErrClosed
	case p.exit.Known || p.src != nil && p.dead:
		return p.exit, nil
	case p.src != nil:
		return Exit{}, ErrRunning
	}
	for range 2 {
		ready, e := sys.PollIn(p.fd.Int())
		if e != 0 {
			return Exit{}, e
		}
		if ready == 0 {
			return Exit{}, ErrRunning
		}
	}
	p.dead, p.exit = true, pidfdExit(p.fd.Int(), p.id)
	return p.exit, nil
}

// Wait waits until the process has exited, p is closed (ErrClosed) or ctx is
// done (its cause). An exit that has happened wins over a ctx that is done.
func (p *Process) Wait(ctx context.Context) (Exit, error) {
	exit, err := p.TryWait()
	if err != ErrRunning {
		return exit, err
	}
	done, closing, err := p.channels()
	if err != nil {
		return Exit{}, err
	}
	select {
	case <-done:
		return p.TryWait()
	case <-closing:
		return Exit{}, ErrClosed
	case <-ctx.Done():
		return Exit{}, context.Cause(ctx)
	}
}

// Done gives a channel that is closed when the process has exited. Close does
// not close it. It is nil, which blocks for ever, when p is closed or no
// descriptor can be had for waiting; Wait says which.
func (p *Process) Done() <-chan struct{} {
	done, _, _ := p.channels()
	return done
}

// channels gives the channels of the exit and of Close.
func (p *Process) channels() (done, closing <-chan struct{}, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.waitable()
}

// waitable makes the channels at the first call, and has the package's one
// waiting thread watch the pidfd from then on. The lock is held.
func (p *Process) waitable() (done, closing <-chan struct{}, err error) {
	if !p.opened() {
		return nil, nil, ErrClosed
	}
	if p.done != nil {
		return p.done, p.closing, nil
	}
	if p.src == nil {
		if err := waiters.add(p, p.fd.Int()); err != nil {
			return nil, nil, err
		}
	}
	p.done, p.closing = make(chan struct{}), make(chan struct{})
	if p.src != nil && p.dead {
		p.announce()
	}
	return p.done, p.closing, nil
}

// settle tells the waiters of an exit that the pidfd shows.
func (p *Process) settle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := p.look(); err == nil {
		p.announce()
	}
}

// announce closes the channel of the exit. The lock is held.
func (p *Process) announce() {
	if p.done != nil && !isClosed(p.done) {
		close(p.done)
	}
}

// Close gives the descriptors back; waiters get ErrClosed. A tracer lets the
// process go. Closing twice, or the zero value, does nothing.
func (p *Process) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done != nil {
		waiters.remove(p)
		close(p.closing)
		p.done, p.closing = nil, nil
	}
	if src := p.src; src != nil {
		p.src = nil
		p.mu.Unlock() // it may be about to tell p
		src.detach()
		p.mu.Lock()
	}
	if p.bell != nil {
		_ = p.bell.Close()
		p.bell = nil
	}
	return p.fd.Close()
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
