package process

import "github.com/lmkd/lmkd/pkg/victim"

// Spared says why a process must not be touched at all: it is init, a kernel
// thread, the daemon or its ancestor, at oom_score_adj -1000, or a rule says
// never. It is Eligible for all others, those that are gone included. One that
// can not be read is spared as unkillable.
func (t *Table) Spared(ask Ask, pid int32) victim.Exclusion {
	t.begin(ask)
	defer t.keepSpare()
	p := &t.one
	*p = victim.Process{PID: pid}
	if t.isOwn(pid) {
		p.Flag |= victim.Own
	}
	t.setProcess(pid)
	switch t.readAdj(p) {
	case isThere:
	case isVanished:
		return victim.Eligible
	default:
		return victim.IsUnkillable
	}
	t.textUsed = 0
	t.detail(p)
	switch why := ask.Policy.Excluded(&victim.Query{MinAdj: -1000}, p); why {
	case victim.IsInit, victim.IsKernel, victim.IsOwn, victim.IsUnkillable, victim.IsProtected:
		return why
	}
	return victim.Eligible
}
