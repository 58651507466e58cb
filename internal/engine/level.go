package engine

import (
	"time"

	"github.com/lmkd/lmkd/pkg/pressure"
)

// levelHold is how long a level stays after the last look that found it: those
// who give memory back on it should not hear it come and go with every look.
const levelHold = 2 * time.Second

// levels is the level of a domain over time. It rises at once; it falls to the
// highest one that some look of the last levelHold found.
type levels struct {
	now  pressure.Level
	seen [pressure.LevelCritical + 1]time.Duration // when a level was last at least the index; 0 for never
}

// see takes the level that a look found.
func (l *levels) see(found pressure.Level, at time.Duration) {
	for i := pressure.LevelLow; i <= found; i++ {
		l.seen[i] = at
	}
	l.now = found
	for i := pressure.LevelCritical; i > found; i-- {
		if l.seen[i] > 0 && at-l.seen[i] < levelHold {
			l.now = i
			return
		}
	}
}

// falls is when the level that holds now must be looked at again, 0 when it is
// none and nothing needs to be.
func (l *levels) falls() time.Duration {
	if l.now == pressure.LevelNone {
		return 0
	}
	return l.seen[l.now] + levelHold
}

// grade takes the verdict's level into the domain's, and begins and ends what it
// calls for. A domain that rests is not pressed, whatever moved since the look
// before: of it only what holds still counts, so that it comes to none and no
// timer is left.
func (st *State) grade(p *Policy, at time.Duration) {
	found := pressure.LevelNone
	if st.phase != resting {
		found = st.verdict.Level(&p.Pressure)
		st.levels.see(found, at)
	}
	st.relieve(p, found, at)
}

// tell puts the level into the output.
func (st *State) tell() {
	st.out.Level = st.levels.now
	st.out.LevelChanged = st.out.Level != st.level
	st.level = st.out.Level
}
