package engine

import (
	"time"

	"github.com/lmkd/lmkd/pkg/pressure"
)

// Android's older strategies act on events, and a poll repeats the event that
// opened its window.

// older tells whether the policy goes by one of them.
func (p *Policy) older() bool { return p.Pressure.Strategy != pressure.ByReclaim }

// open begins the window of fixed pauses that follows a wake. Under an older
// strategy only a louder event begins another while one is open.
func (st *State) open(p *Policy, in *Input) {
	switch {
	case p.Vmpressure && in.Source&FromPSI == 0:
	case !p.older():
		if in.Source&FromPSI != 0 || p.FillRate == 0 {
			st.windowEnd = in.At + p.Window
		}
	case in.At >= st.windowEnd || in.Event > st.polled:
		st.windowEnd, st.polled = in.At+p.Window, in.Event
	}
}

// heard gives the event that a look at memory is about.
func (st *State) heard(p *Policy, now time.Duration) pressure.Level {
	if p.older() && now < st.windowEnd {
		return max(st.event, st.polled)
	}
	return st.event
}
