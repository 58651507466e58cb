package exitwait

import (
	"context"
	"strconv"
	"sync"

	"github.com/lmkd/lmkd/internal/sys"
)

// Process is an open identity: whatever happens to the pid, it means the one
// process that was opened. The zero value is closed. All methods may be called
// from any goroutine, and any number may wait at once; a Process must not be
// copied.
type Process struct {
	pid   int
	start uint64

	mu      sync.Mutex
	fd      sys.FD // readable when the process has exited
	dead    bool
	exit    Exit
	done    chan struct{} // closed at the exit; nil until somebody waits
	closing chan struct{} // closed by Close; nil until somebody waits
}

// Open opens the process pid. ErrGone: there is none; ErrThread: pid is a
// thread's number. A zombie can be opened, and has exited.
func Open(pid int) (*Process, error) {
	p := new(Process)
	if err := p.Reset(pid); err != nil {
		return nil, &opError{"open process " + strconv.Itoa(pid), err}
	}
	return p, nil
}

// Reset closes p and opens the process pid in its place, through a pidfd and
// without allocating. The pidfd is opened first, then the start time is read,
// and then the process is seen to exist still: what was read is its own. Where
// /proc hides the process, StartTime is 0.
//
// It returns ErrGone, ErrThread, or the bare error number of the kernel
// (EMFILE, ENOMEM, ENOSYS before Linux 5.3); p is closed then. Nobody may use p
// meanwhile.
func (p *Process) Reset(pid int) error {
	if err := p.Close(); err != nil {
		return err
	}
	fd, err := openPidfd(pid)
	if err != nil {
		return err
	}
	s, err := readStat(pid)
	if sys.PidfdSignal(fd.Int(), 0) == sys.ESRCH {
		_ = fd.Close()
		return ErrGone
	}
	if err != nil { // it exists, but /proc does not show it
		s = stat{}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pid, p.start, p.fd = pid, s.start, fd.Take()
	p.dead, p.exit, p.done, p.closing = false, Exit{}, nil, nil
	return nil
}

// openPidfd opens pid and tells a process that is gone from a number that is a
// thread's: kernels before 6.9 answer EINVAL to both.
func openPidfd(pid int) (sys.FD, error) {
	if pid <= 0 {
		return sys.FD{}, sys.EINVAL
	}
	fd, e := sys.PidfdOpen(pid)
	switch e {
	case 0:
		return fd, nil
	case sys.ESRCH:
		return sys.FD{}, ErrGone
	case sys.EINVAL, sys.ENOENT:
		if isThread(pid) {
			return sys.FD{}, ErrThread
		}
		return sys.FD{}, ErrGone
	}
	return sys.FD{}, e
}

// PID gives the pid that was opened, in the caller's pid namespace.
func (p *Process) PID() int { return p.pid }

// StartTime gives the start of the process in clock ticks since boot (field 22
// of /proc/PID/stat); with the pid and the boot it is an identity. 0 when /proc
// hides the process.
func (p *Process) StartTime() uint64 { return p.start }

// Fd gives a descriptor for the caller's own poll or epoll, readable (EPOLLIN)
// once the process has exited; -1 when p is closed. It is borrowed until Close.
func (p *Process) Fd() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fd.Int()
}

// TryWait looks, without waiting, how the process ended: ErrRunning when it has
// not, ErrClosed when p is closed. A status that is not known may become known
// with a later call: when a zombie that may not be inspected is reaped.
func (p *Process) TryWait() (Exit, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.look()
}

// look is TryWait with the lock held.
func (p *Process) look() (Exit, error) {
	if !p.fd.Open() {
		return Exit{}, ErrClosed
	}
	if p.exit.Known {
		return p.exit, nil
	}
	ready, e := sys.PollIn(p.fd.Int())
	if e != 0 {
		return Exit{}, e
	}
	if ready == 0 {
		return Exit{}, ErrRunning
	}
	p.dead, p.exit = true, pidfdExit(p.fd.Int(), p.pid, p.start)
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

// channels gives the channels of the exit and of Close, and has the package's
// one waiting thread watch p from the first call on.
func (p *Process) channels() (done, closing <-chan struct{}, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.fd.Open() {
		return nil, nil, ErrClosed
	}
	if p.done == nil {
		p.done, p.closing = make(chan struct{}), make(chan struct{})
		if err := waiters.add(p, p.fd.Int()); err != nil {
			p.done, p.closing = nil, nil
			return nil, nil, err
		}
	}
	return p.done, p.closing, nil
}

// settle closes the channel of the exit, if that has come.
func (p *Process) settle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := p.look(); err == nil && p.done != nil && !isClosed(p.done) {
		close(p.done)
	}
}

// Close gives the descriptor back; waiters get ErrClosed. Closing twice, or the
// zero value, does nothing.
func (p *Process) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done != nil {
		waiters.remove(p)
		close(p.closing)
		p.done, p.closing = nil, nil
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
