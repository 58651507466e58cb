package engine

import (
	"time"

	"github.com/lmkd/lmkd/pkg/victim"
)

// A kill that begins with SIGTERM: the victim has until softEnd to go, and less
// when memory runs out meanwhile, which every look decides anew.

// patience is how long v may take to obey a SIGTERM: its rule's, else the
// domain's; 0 kills at once.
func (p *Policy) patience(v *victim.Process) time.Duration {
	if t := p.Victim.Term(v); t > 0 {
		return t
	}
	return p.TermTimeout
}

// terminate starts the wait for a victim that was asked to go.
func (st *State) terminate(p *Policy, now time.Duration) {
	st.phase, st.softEnd = terming, now+p.patience(&st.flight.Victim)
	st.do(Action{Do: Wait, Until: min(st.softEnd, now+p.PollUrgent)})
}

// lookAtDying judges memory while a victim was only asked to go.
func (st *State) lookAtDying(p *Policy, in *Input) {
	f := &st.verdict.Facts
	if in.At < st.softEnd && f.Available >= f.Floor/2 {
		st.phase = terming
		st.do(Action{Do: Wait, Until: min(st.softEnd, in.At+p.PollUrgent)})
		return
	}
	st.phase = signaling
	st.do(Action{Do: Escalate})
}
