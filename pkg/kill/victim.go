package kill

import (
	"context"
	"errors"
	"fmt"

	"github.com/lmkd/lmkd/internal/sys"
)

// Victim is a process that is being killed: its identity, borrowed from the
// caller, and a directory of /proc that can not come to mean another process.
// Its methods can be used alone, in any order, from one goroutine at a time.
type Victim struct {
	p      Process
	start  uint64
	dir    sys.FD // /proc/PID
	places places
	alone  bool // the memory cgroup was its own when it was opened
}

// Open prepares a kill of p and touches nothing of it. ErrGone: the process was
// reaped, or another one has its pid. Close gives the descriptor back; p stays
// the caller's.
func Open(p Process) (*Victim, error) {
	v := &Victim{p: p, start: p.StartTime()}
	if err := v.open(); err != nil {
		return nil, &opError{fmt.Sprintf("open victim %d", p.PID()), err}
	}
	return v, nil
}

func (v *Victim) open() error {
	dir, e := procDir(v.p.PID())
	if e == sys.ESRCH {
		return ErrGone
	}
	if e != 0 {
		return e
	}
	s, e := readStat(dir.Int(), "stat")
	switch {
	case e == sys.ESRCH, e == 0 && v.start != 0 && s.start != v.start:
		_ = dir.Close()
		return ErrGone
	case e != 0:
		_ = dir.Close()
		return e
	}
	// A start time counts in ticks of 10 ms, in which a pid can be used again:
	// only while the pidfd still has it, the directory is the process's.
	if err := v.confirm(); err != nil {
		_ = dir.Close()
		return err
	}
	v.dir = dir
	// A process whose cgroups can not be read is killed all the same.
	v.places, _ = findPlaces(dir.Int())
	v.alone = v.places.memory != "" && lonely(v.places.memory, v.p.PID())
	return nil
}

// errForeignProc says that the pids of /proc are not ours.
var errForeignProc = errors.New("/proc belongs to another pid namespace")

// confirm asks the pidfd whether it still has the pid. An identity without a
// pidfd has to do with its start time.
func (v *Victim) confirm() error {
	switch pid, e := pidOf(v.p.Fd()); {
	case e != 0 || pid == v.p.PID():
		return nil
	case pid == -1:
		return ErrGone
	}
	return errForeignProc
}

// pidfdProcess is an identity of nothing but a pidfd.
type pidfdProcess struct{ pid, fd int }

func (p pidfdProcess) PID() int        { return p.pid }
func (pidfdProcess) StartTime() uint64 { return 0 }
func (p pidfdProcess) Fd() int         { return p.fd }

// openPidfd opens the process behind pidfd.
func openPidfd(pidfd int) (*Victim, error) {
	pid, e := pidOf(pidfd)
	if e != 0 {
		return nil, e
	}
	v := &Victim{p: pidfdProcess{pid, pidfd}}
	if pid <= 0 {
		return nil, ErrGone
	}
	if err := v.open(); err != nil {
		return nil, err
	}
	return v, nil
}

// Signal sends sig. Where there is no pidfd_open(2) but pidfd_send_signal(2),
// as in Linux 5.1 and 5.2 and in some sandboxes, it goes through the directory
// of /proc, which is as safe: ESRCH once the process is reaped.
func (v *Victim) Signal(sig int) Step {
	s := Signal(v.p, v.start, sig)
	if s.Errno == sys.EBADF || s.Errno == sys.EINVAL {
		return s.done(sys.PidfdSignal(v.dir.Int(), sig))
	}
	return s
}

// Reap frees the victim's memory in the caller's own time, see the function
// Reap. The error says why it was not freed: ErrNotDying, ErrBusy, ErrInvalid,
// ErrShared, ErrDumping, ErrGone, or the kernel's own, ENOSYS before Linux 5.15.
func (v *Victim) Reap(r Retry) (Reclaim, Freed, error) {
	before := v.memory()
	out := Reap(v.p.Fd(), r)
	return out, freed(before, v.memory()), v.refused(&out)
}

// ReapOn is Reap in a thread of its own, see the function ReapOn. The error may
// be ErrOverdue, too.
func (v *Victim) ReapOn(t Thread, r Retry) (Reclaim, Freed, error) {
	before := v.memory()
	out, err := ReapOn(t, v.p.Fd(), r)
	if refused := v.refused(&out); refused != nil {
		err = refused
	}
	return out, freed(before, v.memory()), err
}

func (v *Victim) refused(r *Reclaim) error {
	var c Condition
	if r.Errno == sys.EINVAL {
		c = v.Look()
	}
	if err := r.refused(&c); err != nil {
		return &opError{fmt.Sprintf("reclaim the memory of %d", v.p.PID()), err}
	}
	return nil
}

// Wait waits until the process has exited, or ctx is done: its cause is the
// error, and ETIMEDOUT the step's number.
func (v *Victim) Wait(ctx context.Context) (Step, error) {
	s := step()
	if err := await(ctx, []int{v.p.Fd()}); err != nil {
		e := sys.ErrnoOf(err)
		if ctx.Err() != nil {
			e = sys.ETIMEDOUT
		}
		return s.done(e), err
	}
	return s.done(0), nil
}

// Gone reports whether the process has exited.
func (v *Victim) Gone() bool {
	ready, e := sys.PollIn(v.p.Fd())
	return e == 0 && ready != 0
}

// Memory measures what the victim holds now.
func (v *Victim) Memory() Memory { return v.memory() }

// Close gives the directory back. Closing twice does nothing.
func (v *Victim) Close() error { return v.dir.Close() }
