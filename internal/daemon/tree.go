package daemon

import (
	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/exitwait"
	"github.com/lmkd/lmkd/pkg/kill"
	"github.com/lmkd/lmkd/pkg/victim"
)

const (
	// treeSize is how many members there is room for from the start.
	treeSize = 512
	// mostMembers is beyond what a machine has pids for by default.
	mostMembers = 64 << 10
	// treeRounds is how often a tree is listed before it counts as held still.
	treeRounds = 8
	// mostReaped is how many members have their memory taken back: the workers
	// have room for kill.Pending at a time, and others need them, too.
	mostReaped = 16
	// largeMember is the size in bytes from which that is worth a call.
	largeMember = 16 << 20
)

// tree is who dies with the victim, by their pidfds: descendants, those in its
// cgroup, or who shares its memory. A member leaves it when it has ended. A
// cgroup that dies as a whole is waited for by itself, and is not in it.
type tree struct {
	members []member
	group   *kill.Group // nil when none dies as a whole
	listed  int         // processes of the group
	spared  int         // who would have died, too, and is protected
}

type member struct {
	pid int32
	fd  sys.FD
}

func newTree() tree { return tree{members: make([]member, 0, treeSize)} }

// size tells how many die with the victim.
func (t *tree) size() int { return max(len(t.members), t.listed-1) }

func (t *tree) has(pid int32) bool {
	for i := range t.members {
		if t.members[i].pid == pid {
			return true
		}
	}
	return false
}

// fell kills the victim and those who die with it. The pidfd of the victim is
// watched already.
func (l *loop) fell(d *domain, target *victim.Process) sys.Errno {
	if len(target.DyingCgroup()) > 0 {
		if e, done := l.fellGroup(d, target); done {
			return e
		}
	}
	return l.fellEach(d, target)
}

// fellEach stops the victim and those who die with it, so that nobody forks any
// more, and kills them all.
func (l *loop) fellEach(d *domain, target *victim.Process) sys.Errno {
	if e := l.killer.signal(&d.victim, target.StartTime, sys.SIGSTOP); e != 0 {
		return e
	}
	for range treeRounds {
		if !l.gather(d, target) {
			break
		}
	}
	for i := range d.tree.members {
		l.killer.signalFd(d.tree.members[i].fd.Int(), sys.SIGKILL)
	}
	return l.killer.signal(&d.victim, target.StartTime, sys.SIGKILL)
}

// fellGroup kills the victim's cgroup as a whole, however many are in it; done
// is false where that can not be, or where somebody in it is protected.
func (l *loop) fellGroup(d *domain, target *victim.Process) (e sys.Errno, done bool) {
	g, err := kill.FindGroup(string(target.DyingCgroup()))
	if err != nil {
		return 0, false
	}
	pids, err := g.PIDs()
	for _, pid := range pids {
		if int32(pid) != target.PID && l.table.LivesOn(int32(pid), target) {
			d.tree.spared++
		}
	}
	whole := err == nil && d.tree.spared == 0
	// Its readiness is armed by a look, before the kill.
	if some, err := g.Populated(); !whole || err != nil || !some || d.victim.StartTime() != target.StartTime ||
		l.epoll.Add(g.Fd(), sys.Pri, d.token(tokenVictim)) != 0 {
		_ = g.Close()
		return 0, false
	}
	d.tree.group, d.tree.listed = g, len(pids)
	l.watchdog.busy() // many to look at are no hang
	large, e := l.killer.strike(g, largeMember)
	l.reapLarge(d, large)
	return e, true
}

// reapLarge has the memory of the largest members taken back.
func (l *loop) reapLarge(d *domain, large []*kill.Member) {
	for i, m := range large {
		if i < mostReaped && m.PID != d.victim.PID() {
			l.killer.reap(l.reapers, m.Fd(), d.memberToken())
		}
		_ = m.Close()
	}
}

// reapMembers does so for a tree, whose sizes nobody has looked at.
func (l *loop) reapMembers(d *domain) {
	for i := range d.tree.members[:min(len(d.tree.members), mostReaped)] {
		l.killer.reap(l.reapers, d.tree.members[i].fd.Int(), d.memberToken())
	}
}

// gather stops those who die with the victim and are not yet held, and reports
// whether there were any.
func (l *loop) gather(d *domain, target *victim.Process) (more bool) {
	t := &d.tree
	found := l.related(target)
	before := len(t.members)
	for _, pid := range found {
		if pid == target.PID || t.has(pid) {
			continue
		}
		if fd, e := sys.PidfdOpen(int(pid)); e == 0 {
			t.members = append(t.members, member{pid, fd})
		}
	}
	if len(t.members) == before {
		return false
	}
	l.confirm(d, target, before)
	for i := before; i < len(t.members); i++ {
		l.killer.signalFd(t.members[i].fd.Int(), sys.SIGSTOP)
		_ = l.epoll.Add(t.members[i].fd.Int(), sys.In, d.token(tokenVictim))
	}
	return len(t.members) > before
}

// related lists those who die with the victim, with more room when they are
// more than there is.
func (l *loop) related(target *victim.Process) []int32 {
	for {
		found := l.table.Related(target, l.descendants[:0])
		if len(found) < cap(found) || cap(found) >= mostMembers {
			return found
		}
		l.descendants = make([]int32, 0, 4*cap(found))
	}
}

// confirm drops those from the given place on that live on, or do not belong to
// the victim: their pids may be others' by now. One that does once its pidfd is
// open is the one that was listed.
func (l *loop) confirm(d *domain, target *victim.Process, from int) {
	t := &d.tree
	kept, spared := from, 0
	for i := from; i < len(t.members); i++ {
		m := &t.members[i]
		belongs := l.table.Belongs(m.pid, target, t.has)
		if spare := belongs && l.table.LivesOn(m.pid, target); spare || !belongs {
			if spare {
				spared++
			}
			_ = m.fd.Close()
			continue
		}
		t.members[kept] = member{m.pid, m.fd.Take()}
		kept++
	}
	t.members, t.spared = t.members[:kept], max(t.spared, spared)
}

// gone drops the members that have ended, and reports whether all have, the
// victim too.
func (l *loop) gone(d *domain) bool {
	t := &d.tree
	for i := 0; i < len(t.members); {
		if ready, e := sys.PollIn(t.members[i].fd.Int()); e == 0 && ready == 0 {
			i++
			continue
		}
		l.drop(d, i)
	}
	if t.group != nil {
		if some, err := t.group.Populated(); some && err == nil {
			return false
		}
	}
	// Asked again, for a pidfd can look ready for a moment of an exec.
	_, err := d.victim.TryWait()
	return len(t.members) == 0 && err != exitwait.ErrRunning
}

// drop forgets one member.
func (l *loop) drop(d *domain, i int) {
	t := &d.tree
	_ = l.epoll.Remove(t.members[i].fd.Int())
	_ = t.members[i].fd.Close()
	last := len(t.members) - 1
	if i != last {
		t.members[i] = member{t.members[last].pid, t.members[last].fd.Take()}
	}
	t.members = t.members[:last]
}

// abandonTree forgets them all.
func (l *loop) abandonTree(d *domain) {
	t := &d.tree
	for len(t.members) > 0 {
		l.drop(d, len(t.members)-1)
	}
	if t.group != nil {
		_ = l.epoll.Remove(t.group.Fd())
		_ = t.group.Close()
	}
	t.group, t.listed, t.spared = nil, 0, 0
}
