package daemon

import (
	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/kill"
)

// killer is the only thing that a dry run replaces.
type killer interface {
	signal(p kill.Process, startTime uint64, sig int) sys.Errno
	signalFd(pidfd, sig int)
	strike(g *kill.Group, large uint64) ([]*kill.Member, sys.Errno)
	reap(r *kill.Reapers, pidfd int, token uint64)
	examine(r *kill.Reapers, pidfd int, token uint64)
}

// sharp kills.
type sharp struct{ mrelease bool }

func (sharp) signal(p kill.Process, startTime uint64, sig int) sys.Errno {
	return kill.Signal(p, startTime, sig).Errno
}

// signalFd is for those who were checked when their pidfd was opened. One that
// has ended meanwhile needs no signal.
func (sharp) signalFd(pidfd, sig int) { _ = sys.PidfdSignal(pidfd, sig) }

// strike kills a cgroup as a whole, and gives its large members.
func (sharp) strike(g *kill.Group, large uint64) ([]*kill.Member, sys.Errno) {
	out, err := g.Strike(large)
	return out.Large, sys.ErrnoOf(err)
}

// reap hands the memory to a worker, which also lifts what slows the death. With
// the queue full the victim frees its memory by itself, as it would on a kernel
// without process_mrelease.
func (k sharp) reap(r *kill.Reapers, pidfd int, token uint64) {
	_ = r.Hand(kill.Job{Pidfd: pidfd, Token: token, Boost: true, Spare: !k.mrelease})
}

// examine has a worker look what keeps a victim; with the queue full nobody
// looks this time.
func (sharp) examine(r *kill.Reapers, pidfd int, token uint64) {
	_ = r.Hand(kill.Job{Pidfd: pidfd, Token: token, Look: true})
}

// dry asks the kernel whether a signal would be permitted, and sends none: the
// victim lives on, and its kill times out.
type dry struct{}

func (dry) signal(p kill.Process, startTime uint64, _ int) sys.Errno {
	return kill.Signal(p, startTime, 0).Errno
}

func (dry) signalFd(int, int) {}

func (dry) strike(*kill.Group, uint64) ([]*kill.Member, sys.Errno) { return nil, 0 }

func (dry) reap(*kill.Reapers, int, uint64) {}

func (dry) examine(*kill.Reapers, int, uint64) {}
