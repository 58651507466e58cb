package process

import "github.com/lmkd/lmkd/pkg/victim"

// suspects is how many siblings among those that were read closely make it
// worth to read the whole page.
const suspects = 3

// findBrood looks for young siblings among the candidates, and adds their parent
// to them, who then stands for all. page is the last one, sorted; behind those
// that were read come those that could not win alone.
func (t *Table) findBrood(page []victim.Process) {
	least := t.ask.Policy.Brood
	if least == 0 {
		return
	}
	q := &t.ask.Query
	if _, ok := q.FindBrood(t.ask.Policy, t.found, min(suspects, least)); !ok {
		return
	}
	for i := range page {
		if !page[i].Is(victim.Detailed) && len(t.found) < cap(t.found)-broodRoom-dyingRoom {
			t.detail(&page[i])
			t.found = append(t.found, page[i])
		}
	}
	if b, ok := q.FindBrood(t.ask.Policy, t.found, least); ok {
		t.addParent(b)
	}
}

// addParent lets the parent stand for its brood, unless it may not be chosen or
// a rule puts it last: a login shell does not die for what was started from it.
func (t *Table) addParent(b victim.Brood) {
	for i := range t.found {
		if p := &t.found[i]; p.PID == b.Parent {
			t.lead(p, b)
			return
		}
	}
	p := &t.one
	*p = victim.Process{PID: b.Parent}
	if out := t.wholeParent(p); out != isThere || p.Flag&^victim.Registered != 0 {
		return
	}
	t.detail(p)
	if t.lead(p, b) && len(t.found) < cap(t.found)-dyingRoom {
		t.found = append(t.found, *p)
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

func (t *Table) lead(p *victim.Process, b victim.Brood) bool {
	alone := *p
	p.Leads(b)
	if p.Effect == victim.Last || t.ask.Policy.Excluded(&t.ask.Query, p) != victim.Eligible {
		*p = alone
		return false
	}
	return true
}
