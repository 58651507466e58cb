package exitwait

import "github.com/lmkd/lmkd/internal/sys"

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
	p.id, p.fd = identity{pid, s.start, s.lone()}, fd.Take()
	p.dead, p.exit, p.last = false, Exit{}, Change{}
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
