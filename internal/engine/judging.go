package engine

import (
	"github.com/lmkd/lmkd/pkg/pressure"
)

// judgement takes the sample to the judge. Until the first kill it keeps what the
// judge knew before, for recheck.
func (st *State) judgement(p *Policy, in *Input) {
	if !st.rechecked {
		st.before = st.judge
	}
	st.verdict = pressure.Judge(&p.Pressure, &st.judge, &pressure.Input{
		Sample: in.Sample, Event: st.heard(p, in.At), Reclaim: in.Reclaim, Targets: in.Targets,
	})
	st.event, st.verdictAt = pressure.LevelNone, in.At
	st.out.Verdict = &st.verdict
}

// recheck has the first verdict that rests on watermarks judged again with new
// ones: they were read when the daemon started, perhaps before memory was
// plugged in or a sysctl was set. The judge forgets the first judgement, so that
// what pressed presses again.
func (st *State) recheck(p *Policy, in *Input) bool {
	if st.rechecked || st.marksAsked || !st.verdict.Reason.RestsOnMarks() {
		return false
	}
	st.rechecked, st.marksKnown = true, false
	st.judge, st.event = st.before, st.verdict.Event
	st.out.Verdict = nil
	st.look(p, in.At)
	return true
}

// bars are where a verdict's bar goes when nobody qualifies: the lower ends of
// Android's classes of what a user does not see, of what he perceives less than
// the foreground, and of all that is not the system's.
var bars = [...]int16{701, 201, 0}

// lower lets more important processes die than the verdict asked for, a step
// for each time in a row that nobody qualified: that all candidates are above a
// bar is no reason to do nothing while memory runs out. A reason that only sheds
// what can be spared is no such emergency.
func (st *State) lower() {
	if st.nobodies == 0 || st.verdict.Reason.Sheds() {
		return
	}
	bar := st.verdict.MinAdj
	for range st.nobodies {
		bar = nextBar(bar)
	}
	if bar != st.verdict.MinAdj && st.lowered != st.nobodies && st.out.Note == NoNote {
		st.out.Note, st.lowered = Lowered, st.nobodies
	}
	st.verdict.MinAdj = bar
}

func nextBar(bar int16) int16 {
	for _, b := range bars {
		if b < bar {
			return b
		}
	}
	return min(bar, 0)
}
