package process

import "github.com/lmkd/lmkd/pkg/victim"

// suspects is how many siblings among those that were read closely make it
// worth to read the whole page.
const suspects = 3

// findBrood looks for young siblings among the candidates, and adds their parent
// to them, who then stands for all; or for orphans that look alike, which the
// leader of their process group stands for, or the largest. page is the last one,
// sorted; behind those that were read come those that could not win alone.
func (t *Table) findBrood(page []victim.Process) {
	least := t.ask.Policy.Brood
	if least == 0 {
		return
	}
	q := &t.ask.Query
	few := min(suspects, least)
	if _, ok := q.FindBrood(t.ask.Policy, t.found, few); !ok && !victim.Resemble(t.found, few) {
		return
	}
	for i := range page {
		if !page[i].Is(victim.Detailed) && len(t.found) < cap(t.found)-broodRoom-dyingRoom {
			t.detail(&page[i])
			t.found = append(t.found, page[i])
		}
	}
	if b, ok := q.FindBrood(t.ask.Policy, t.found, least); ok && t.addParent(b) {
		return
	}
	t.findOrphans()
	if h, ok := q.FindHorde(t.ask.Policy, t.found, least); ok {
		t.addLeader(h)
	}
}

// addParent lets the parent stand for its brood, unless it may not be chosen or
// a rule puts it last: a login shell does not die for what was started from it.
func (t *Table) addParent(b victim.Brood) bool {
	return t.stand(b.Parent, func(p *victim.Process, _ bool) bool {
		p.Leads(b)
		return true
	})
}

// addLeader lets the leader of the process group stand for a horde, if it lives
// and may, or else the largest of the horde.
func (t *Table) addLeader(h victim.Horde) {
	like := t.found[h.Largest]
	if h.Group > 1 && t.stand(h.Group, func(p *victim.Process, within bool) bool {
		p.LeadsHorde(&t.ask.Query, h, victim.AsGroup, within && p.Is(victim.Young) && p.Comm == like.Comm)
		return p.Group == p.PID
	}) {
		return
	}
	t.found[h.Largest].LeadsHorde(&t.ask.Query, h, victim.AsBrood, true)
}

// stand lets pid lead others, if it lives and may. known tells that it is one of
// the candidates.
func (t *Table) stand(pid int32, lead func(p *victim.Process, known bool) bool) bool {
	for i := range t.found {
		if p := &t.found[i]; p.PID == pid {
			return t.lead(p, true, lead)
		}
	}
	if !t.isWithin(pid) {
		return false
	}
	p := &t.one
	*p = victim.Process{PID: pid}
	if out := t.wholeParent(p); out != isThere || p.Flag&^victim.Registered != 0 {
		return false
	}
	t.detail(p)
	if !t.lead(p, false, lead) || len(t.found) >= cap(t.found)-dyingRoom {
		return false
	}
	t.found = append(t.found, *p)
	return true
}

func (t *Table) lead(p *victim.Process, known bool, lead func(p *victim.Process, known bool) bool) bool {
	alone := *p
	if !lead(p, known) || p.Effect == victim.Last || t.ask.Policy.Excluded(&t.ask.Query, p) != victim.Eligible {
		*p = alone
		return false
	}
	return true
}

// findOrphans marks the young whose parent is one that a rule protects: a
// manager that adopts whoever loses its parent.
func (t *Table) findOrphans() {
	last, adopts := int32(0), false
	for i := range t.found {
		p := &t.found[i]
		if !p.Is(victim.Young) || p.PPID <= 1 {
			continue
		}
		if p.PPID != last {
			last, adopts = p.PPID, t.memberOf(p.PPID).Effect == victim.Never
		}
		if adopts {
			p.Flag |= victim.Orphan
		}
	}
}

// wholeParent is phase one of a process that may be one of the small.
func (t *Table) wholeParent(p *victim.Process) outcome {
	out := t.phaseOne(p)
	if out == isSmall {
		return t.readAdj(p)
	}
	return out
}
