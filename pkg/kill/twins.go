package kill

import (
	"strconv"

	"github.com/lmkd/lmkd/internal/sys"
)

// Twin is a process that has the victim's address space: while one lives, the
// kernel frees nothing of it.
type Twin struct {
	PID int `json:"pid"`
	// Vfork: it is the victim's child, or its parent, between vfork and exec,
	// and lets go of the memory by itself as soon as it execs or ends.
	Vfork bool `json:"vfork"`

	fd sys.FD
}

// Fd gives the pidfd, borrowed until Close.
func (t *Twin) Fd() int { return t.fd.Int() }

// Close gives the pidfd back.
func (t *Twin) Close() error { return t.fd.Close() }

// Twins finds the processes that share the living victim's address space
// (clone(2) with CLONE_VM, vfork(2)). Address spaces of the same size are
// compared by kcmp(2): one cheap file of every process is read, and few are
// asked about. ENOSYS: the kernel has no kcmp; EPERM: the victim or a suspect
// may not be traced by the caller. The caller closes every Twin.
func (v *Victim) Twins() ([]Twin, error) {
	proc, e := sys.OpenPath("/proc", sys.ReadOnly|sys.Directory)
	if e != 0 {
		return nil, e
	}
	defer func() { _ = proc.Close() }()
	own, ok := readStatm(v.dir.Int(), "statm")
	if !ok {
		return nil, nil // it has let go: nobody can tell any more
	}
	var twins []Twin
	var refused sys.Errno
	e = eachNumber(proc.Int(), ".", func(pid int) bool {
		other, ok := readStatm(proc.Int(), strconv.Itoa(pid)+"/statm")
		if !ok || other.size != own.size || pid == v.p.PID() {
			return true
		}
		twin, same, e := v.compare(pid)
		if same {
			twins = append(twins, twin)
		}
		if e != 0 && e != sys.ESRCH {
			refused = e
		}
		return true
	})
	if e == 0 {
		e = refused
	}
	if e != 0 {
		return twins, &opError{"look who shares the memory of " + strconv.Itoa(v.p.PID()), e}
	}
	return twins, nil
}

// compare asks about a number first, for most are strangers, and then again
// once it is open, so that the answer is about the one behind the pidfd.
func (v *Victim) compare(pid int) (Twin, bool, sys.Errno) {
	same, e := sys.SameMemory(v.p.PID(), pid)
	if !same {
		return Twin{}, false, e
	}
	fd, e := sys.PidfdOpen(pid)
	if e != 0 {
		return Twin{}, false, e
	}
	same, e = sys.SameMemory(v.p.PID(), pid)
	ready, _ := sys.PollIn(fd.Int())
	if !same || ready != 0 || v.Gone() {
		_ = fd.Close()
		return Twin{}, false, e
	}
	return Twin{PID: pid, Vfork: v.related(pid), fd: fd}, true, 0
}

// related reports whether one is the other's parent, and the parent sleeps as
// it does in vfork.
func (v *Victim) related(pid int) bool {
	own, e := readStat(v.dir.Int(), "stat")
	if e != 0 {
		return false
	}
	dir, e := procDir(pid)
	if e != 0 {
		return false
	}
	defer func() { _ = dir.Close() }()
	other, e := readStat(dir.Int(), "stat")
	if e != 0 {
		return false
	}
	return other.parent == v.p.PID() && anyAsleep(v.dir.Int()) || own.parent == pid && anyAsleep(dir.Int())
}

// anyAsleep reports whether a thread sleeps in state D: so does the one that
// waits in vfork, though a SIGKILL ends that.
func anyAsleep(dir int) (asleep bool) {
	_ = eachNumber(dir, "task", func(tid int) bool {
		s, e := readStat(dir, "task/"+strconv.Itoa(tid)+"/stat")
		asleep = e == 0 && s.state == 'D'
		return !asleep
	})
	return asleep
}

// closeTwins closes every one.
func closeTwins(twins []Twin) {
	for i := range twins {
		_ = twins[i].Close()
	}
}
