package process

import "github.com/lmkd/lmkd/pkg/victim"

// roll gives what clients registered, as far as the policy asks for it.
func (a *Ask) roll() *victim.Roll {
	if a.Policy.Roll == victim.RollOff {
		return nil
	}
	return a.Roll
}

// only tells whether nobody but registered processes is a candidate: nobody
// else is then looked at.
func (t *Table) only() bool {
	return t.roll != nil && t.ask.Policy.Roll == victim.RollOnly
}

// visitRegistered is phase one where nobody else is a candidate.
func (t *Table) visitRegistered() {
	for i := range t.roll.Members {
		t.visit(t.roll.Members[i].PID)
	}
}

// enrol gives p, whose Adj is the kernel's, the word of its client. What the
// kernel has at -1000 stays there.
func (t *Table) enrol(p *victim.Process) {
	r := t.roll.Find(p.PID)
	if r == nil {
		if t.only() {
			p.Flag |= victim.Unregistered
		}
		return
	}
	p.Flag |= victim.Registered
	p.Turn = r.Turn
	if !t.ask.Policy.RollKernel && p.Adj > -1000 {
		p.Adj = r.Adj
	}
}

// disown takes the registration back from a process that is not the one which
// was registered: it took its pid.
func (t *Table) disown(p *victim.Process) outcome {
	r := t.roll.Find(p.PID)
	if !p.Is(victim.Registered) || r != nil && r.StartTime == p.StartTime {
		return isThere
	}
	p.Flag &^= victim.Registered
	p.Turn = 0
	if t.only() {
		p.Flag |= victim.Unregistered
		return isThere
	}
	var out outcome
	p.Adj, out = t.kernelAdj()
	return out
}
