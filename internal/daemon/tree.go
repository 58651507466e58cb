package daemon

import (
	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/exitwait"
	"github.com/lmkd/lmkd/pkg/victim"
)

// The limits of a tree: how many of its members are waited for, and how often it
// is listed before it counts as held still.
const (
	treeSize   = 512
	treeRounds = 8
)

// tree is the descendants of the victim that die with it, by their pidfds. A
// member leaves it when it has ended.
type tree struct {
	pids [treeSize]int32
	fds  [treeSize]sys.FD
	n    int
}

// fell stops the victim and those who die with it, so that nobody forks any more, and
// kills them all. The pidfd of the victim is watched already.
func (l *loop) fell(d *domain, target *victim.Process) sys.Errno {
	t := &d.tree
	if e := l.killer.signal(&d.victim, target.StartTime, sys.SIGSTOP); e != 0 {
		return e
	}
	for range treeRounds {
		if !l.gather(d, target) {
			break
		}
	}
	for i := range t.n {
		l.killer.signalFd(t.fds[i].Int(), sys.SIGKILL)
	}
	return l.killer.signal(&d.victim, target.StartTime, sys.SIGKILL)
}

// gather stops those who die with the victim and are not yet held, and reports
// whether there were any.
func (l *loop) gather(d *domain, target *victim.Process) (more bool) {
	t := &d.tree
	found := l.related(target)
	before := t.n
	for _, pid := range found {
		if t.n == len(t.fds) || pid == target.PID || t.has(pid) {
			continue
		}
		fd, e := sys.PidfdOpen(int(pid))
		if e != 0 {
			continue
		}
		t.pids[t.n], t.fds[t.n] = pid, fd
		t.n++
	}
	if t.n == before {
		return false
	}
	l.confirm(d, target, before)
	for i := before; i < t.n; i++ {
		l.killer.signalFd(t.fds[i].Int(), sys.SIGSTOP)
		_ = l.epoll.Add(t.fds[i].Int(), sys.In, d.token(tokenVictim))
	}
	return t.n > before
}

// related lists those who die with the victim.
func (l *loop) related(target *victim.Process) []int32 {
	return l.table.Related(target, l.descendants[:0])
}

// confirm drops those from the given place on that live on, or do not belong to
// the victim: their pids may be others' by now. One that does once its pidfd is
// open is the one that was listed.
func (l *loop) confirm(d *domain, target *victim.Process, from int) {
	t := &d.tree
	kept := from
	for i := from; i < t.n; i++ {
		if !l.table.Belongs(t.pids[i], target, t.has) || l.table.LivesOn(t.pids[i], target) {
			_ = t.fds[i].Close()
			continue
		}
		t.pids[kept], t.fds[kept] = t.pids[i], t.fds[i].Take()
		kept++
	}
	t.n = kept
}

func (t *tree) has(pid int32) bool {
	for _, known := range t.pids[:t.n] {
		if known == pid {
			return true
		}
	}
	return false
}

// gone drops the members that have ended, and reports whether all have, the
// victim too.
func (l *loop) gone(d *domain) bool {
	t := &d.tree
	for i := 0; i < t.n; {
		if ready, e := sys.PollIn(t.fds[i].Int()); e == 0 && ready == 0 {
			i++
			continue
		}
		l.drop(d, i)
	}
	// Asked again, for a pidfd can look ready for a moment of an exec.
	_, err := d.victim.TryWait()
	return t.n == 0 && err != exitwait.ErrRunning
}

// drop forgets one member.
func (l *loop) drop(d *domain, i int) {
	t := &d.tree
	_ = l.epoll.Remove(t.fds[i].Int())
	_ = t.fds[i].Close()
	t.n--
	t.pids[i] = t.pids[t.n]
	if i != t.n {
		t.fds[i] = t.fds[t.n].Take()
	}
}

// abandonTree forgets them all.
func (l *loop) abandonTree(d *domain) {
	for d.tree.n > 0 {
		l.drop(d, d.tree.n-1)
	}
}
