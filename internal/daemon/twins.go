package daemon

import (
	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/victim"
)

// A process that has the victim's address space (clone(2) with CLONE_VM, vfork(2))
// keeps its memory alive: the kernel frees nothing while one of them lives. After
// the signal nobody can tell any more who they are, so they are looked for before
// it, among the candidates: they have the same size, and the kernel gives those
// who share memory one oom_score_adj.

// pair adds the victim's twins to those who die with it, and signals them. EBUSY:
// one of them is protected, so that the victim's death would give nothing.
func (l *loop) pair(d *domain, target *victim.Process) sys.Errno {
	t := &d.tree
	for i := range l.candidates {
		other := &l.candidates[i]
		if !alike(target, other) || t.has(other.PID) {
			continue
		}
		if same, _ := sys.SameMemory(int(target.PID), int(other.PID)); !same {
			continue
		}
		if d.policy.Victim.Spares(other, nil) {
			return sys.EBUSY
		}
		l.addTwin(d, target, other)
	}
	for i := range t.members {
		l.killer.signalFd(t.members[i].fd.Int(), sys.SIGKILL)
	}
	return 0
}

// alike tells whether two can have one address space: their sizes were read one
// after the other, and may have grown between.
func alike(a, b *victim.Process) bool {
	const slack = 16
	more, less := max(a.RSS, b.RSS), min(a.RSS, b.RSS)
	return a.PID != b.PID && b.Flag&(victim.Vanished|victim.Zombie) == 0 && more-less <= more/slack
}

// addTwin opens one and asks again: the answer is then about who is behind the
// pidfd.
func (l *loop) addTwin(d *domain, target, other *victim.Process) {
	fd, e := sys.PidfdOpen(int(other.PID))
	if e != 0 {
		return
	}
	same, _ := sys.SameMemory(int(target.PID), int(other.PID))
	ready, _ := sys.PollIn(fd.Int())
	if !same || ready != 0 || l.epoll.Add(fd.Int(), sys.In, d.token(tokenVictim)) != 0 {
		_ = fd.Close()
		return
	}
	d.tree.members = append(d.tree.members, member{other.PID, fd})
}
