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

// fell stops the victim and its descendants, so that nobody forks any more, and
// kills them all. The pidfd of the victim is watched already.
func (l *loop) fell(target *victim.Process) sys.Errno {
	t := &l.tree
	if e := l.killer.signal(&l.victim, target.StartTime, sys.SIGSTOP); e != 0 {
		return e
	}
	for range treeRounds {
		if !l.gather(target.PID) {
			break
		}
	}
	for i := range t.n {
		l.killer.signalFd(t.fds[i].Int(), sys.SIGKILL)
	}
	return l.killer.signal(&l.victim, target.StartTime, sys.SIGKILL)
}

// gather stops the descendants that are not yet held, and reports whether there
// were any. One that is still listed once its pidfd is open is the one that was.
func (l *loop) gather(root int32) (more bool) {
	t := &l.tree
	found := l.table.Descendants(root, l.descendants[:0])
	before := t.n
	for _, pid := range found {
		if t.n == len(t.fds) || t.has(pid) {
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
	l.confirm(root, before)
	for i := before; i < t.n; i++ {
		l.killer.signalFd(t.fds[i].Int(), sys.SIGSTOP)
		_ = l.epoll.Add(t.fds[i].Int(), sys.In, tokenVictim)
	}
	return true
}

// confirm drops those from the given place on that are no descendants any more:
// their pids may be others' by now.
func (l *loop) confirm(root int32, from int) {
	t := &l.tree
	kept := from
	for i := from; i < t.n; i++ {
		parent := l.table.Parent(t.pids[i])
		still := parent == root || t.has(parent)
		if !still {
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
func (l *loop) gone() bool {
	t := &l.tree
	for i := 0; i < t.n; {
		if ready, e := sys.PollIn(t.fds[i].Int()); e == 0 && ready == 0 {
			i++
			continue
		}
		l.drop(i)
	}
	// Asked again, for a pidfd can look ready for a moment of an exec.
	_, err := l.victim.TryWait()
	return t.n == 0 && err != exitwait.ErrRunning
}

// drop forgets one member.
func (l *loop) drop(i int) {
	t := &l.tree
	_ = l.epoll.Remove(t.fds[i].Int())
	_ = t.fds[i].Close()
	t.n--
	t.pids[i] = t.pids[t.n]
	if i != t.n {
		t.fds[i] = t.fds[t.n].Take()
	}
}

// abandonTree forgets them all.
func (l *loop) abandonTree() {
	for l.tree.n > 0 {
		l.drop(l.tree.n - 1)
	}
}
