package exitwait

import "github.com/lmkd/lmkd/internal/sys"

// source is where a Process without a pidfd learns of its exit: it calls the
// process's finish and change, from any goroutine, holding no lock of its own.
type source interface {
	attach() error // begins; an exit that has happened is told before it returns
	refresh()      // tells what has happened so far
	detach()       // ends; what it tells from then on is ignored
}

// identity is a process by numbers: a successor of its pid has another start
// time, as long as pids are not reused within one clock tick of 10 ms.
type identity struct {
	pid   int
	start uint64
	lone  bool // had one thread when it was opened
}

// identify finds the identity of the process that has pid now.
func identify(pid int) (identity, error) {
	if pid <= 0 {
		return identity{}, sys.EINVAL
	}
	if isThread(pid) {
		return identity{}, ErrThread
	}
	s, err := readStat(pid)
	if err == ErrGone && sys.Exists(pid) != sys.ESRCH {
		return identity{}, errHidden
	}
	return identity{pid, s.start, s.lone()}, err
}

// errHidden is met where /proc is mounted with hidepid.
var errHidden error = &answer{"/proc does not show the process", sys.EACCES}

// look asks /proc for the process: its stat, whether it has exited, and how if
// the zombie may be inspected. That /proc shows nothing is believed when kill
// agrees.
func (id identity) look() (s stat, exit Exit, dead bool) {
	s, err := readStat(id.pid)
	switch {
	case err == ErrGone:
		return s, Exit{}, sys.Exists(id.pid) == sys.ESRCH
	case err != nil: // out of descriptors or memory: nothing was learned
		return s, Exit{}, false
	case s.start != id.start:
		return s, Exit{}, true // a successor has the pid
	case s.dead():
		return s, id.zombieExit(), true
	}
	return s, Exit{}, false
}

// finish records the exit that src tells of. A second call can only add a
// status that was not known.
func (p *Process) finish(src source, exit Exit) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.src != src || p.exit.Known {
		return
	}
	first := !p.dead
	p.dead, p.exit = true, exit
	if first {
		p.bell.Notify()
		p.announce()
	}
	p.note(Change{State: Exited, Exit: exit})
}
