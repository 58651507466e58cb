package engine

import (
	"github.com/lmkd/lmkd/pkg/pressure"
	"github.com/lmkd/lmkd/pkg/victim"
)

// surveyShare is the part of memory, as one over it, below which what is
// available makes an episode of a wake: from then on who grows is watched.
const surveyShare = 4

// survey asks once an episode how large everybody is, before anybody must die.
// The episode ends when half as much again is available.
func (st *State) survey(p *Policy) {
	near := st.total / surveyShare
	switch {
	case p.Victim.GrowthWeight == 0:
	case st.available > near+near/2:
		st.surveyed, st.parent, st.orphans = false, 0, 0
	case st.available <= near && !st.surveyed:
		st.surveyed = true
		st.do(Action{Do: Survey})
	}
}

// lostSiblings is how many young victims with one parent make that the next.
const lostSiblings = 2

// ask makes the question of a verdict that acts.
func (st *State) ask(s *pressure.Sample) {
	st.query = victim.Query{
		MinAdj: st.verdict.MinAdj, CountFile: st.verdict.Reason.Thrashing(), Shun: st.shun, SwapSaved: swapSaved(s),
	}
	if st.orphans >= lostSiblings {
		st.query.Bereaved = st.parent
	}
	st.do(Action{Do: List, Query: st.query, Surveyed: st.surveyed})
}

// mourn remembers the parent of a young victim: one that respawns what dies is
// the next.
func (st *State) mourn(v *victim.Process) {
	switch {
	case !v.Is(victim.Young) || v.PPID <= 1 || v.Brood > 0:
	case v.PPID == st.parent:
		st.orphans++
	default:
		st.parent, st.orphans = v.PPID, 1
	}
}

// swapSaved gives how many thousandths of what is swapped out cost no memory.
func swapSaved(s *pressure.Sample) uint16 {
	used := s.Memory.SwapTotal - min(s.Memory.SwapTotal, s.Memory.SwapFree)
	if s.Has&pressure.HasZram == 0 || used < 1000 {
		return 0
	}
	saved := s.Zram.Original - min(s.Zram.Original, s.Zram.MemUsed)
	return uint16(min(saved/(used/1000), 1000))
}
