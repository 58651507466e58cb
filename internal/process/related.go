package process

import (
	"bytes"

	"github.com/lmkd/lmkd/pkg/victim"
)

// Related appends to out those who die with target, as far as out has room. Some
// of them may live on: see LivesOn.
func (t *Table) Related(target *victim.Process, out []int32) []int32 {
	switch target.Dies() {
	case victim.AsCgroup, victim.AsOOMGroup:
		return t.Members(target.DyingCgroup(), out)
	case victim.AsSession, victim.AsGroup, victim.AsBrood:
		_ = t.list(func(pid int32) {
			if len(out) < cap(out) && t.shares(pid, target) {
				out = append(out, pid)
			}
		})
		return out
	}
	return t.Descendants(target.PID, out)
}

// Belongs tells whether Related would give pid. known tells who is known to die
// with target.
func (t *Table) Belongs(pid int32, target *victim.Process, known func(pid int32) bool) bool {
	switch target.Dies() {
	case victim.AsCgroup, victim.AsOOMGroup:
		return t.InCgroup(pid, target.DyingCgroup())
	case victim.AsSession, victim.AsGroup, victim.AsBrood:
		return t.shares(pid, target)
	}
	parent := t.Parent(pid)
	return parent == target.PID || known(parent)
}

// shares tells whether pid is of the session, process group or brood of target. Init's
// and the kernel's have the number 0 or 1 and die with nobody.
func (t *Table) shares(pid int32, target *victim.Process) bool {
	if pid <= 1 || t.isOwn(pid) {
		return false
	}
	t.setProcess(pid)
	s, e, err := t.readStat()
	if e != 0 || err != nil || s.dead() || s.is(flagKernel) {
		return false
	}
	group := target.Group > 1 && s.group == target.Group
	switch target.Dies() {
	case victim.AsSession:
		return target.Session > 1 && s.session == target.Session
	case victim.AsBrood:
		alike := string(s.name) == string(target.Comm[:target.CommLen])
		young := t.youngSince > 0 && s.startTime >= t.youngSince
		return (group && (alike || young) || alike && s.ppid == target.PPID) && bytes.Equal(t.cgroupOf(), target.Cgroup)
	}
	return group
}

// LivesOn tells whether a process is spared when the unit of target dies: by the
// policy of the last choice.
func (t *Table) LivesOn(pid int32, target *victim.Process) bool {
	p := &t.member
	*p = victim.Process{PID: pid}
	if pid <= 1 || t.isOwn(pid) {
		return true
	}
	used, groups := t.textUsed, t.groupsRead
	t.setProcess(pid)
	out := t.readAdj(p)
	if out == isThere {
		t.detail(p)
	}
	t.textUsed, t.groupsRead = used, groups
	last := target.Brood > 0 && p.Effect == victim.Last // a job's shell, a compositor
	return out == isHidden || last || t.ask.Policy.Spares(p, target.DyingCgroup())
}
