package engine

import (
	"time"

	"github.com/lmkd/lmkd/pkg/pressure"
)

// stallMeter does what PSI triggers do, from the totals of samples: it tells
// when the stalls since the start of a window reached a threshold.
type stallMeter struct {
	known      bool
	start      time.Duration
	some, full uint64 // totals at the start, microseconds
}

// level gives what a trigger would have said by now, and starts a new window
// after it spoke or when the old one is over.
func (m *stallMeter) level(p *Policy, s *pressure.Sample) pressure.Level {
	if s.Has&pressure.HasStall == 0 {
		return pressure.LevelNone
	}
	level := pressure.LevelNone
	if m.known {
		switch {
		case micros(s.Stall.FullTotal, m.full) >= p.Complete:
			level = pressure.LevelCritical
		case micros(s.Stall.SomeTotal, m.some) >= p.Partial:
			level = pressure.LevelMedium
		}
	}
	// A window much longer than its length says nothing about a rate: the
	// daemon was stopped, or rested.
	if m.known && s.At-m.start > 2*p.Window {
		level = pressure.LevelNone
	}
	if !m.known || level != pressure.LevelNone || s.At-m.start >= p.Window {
		*m = stallMeter{true, s.At, s.Stall.SomeTotal, s.Stall.FullTotal}
	}
	return level
}

func micros(now, then uint64) time.Duration {
	return time.Duration(now-min(now, then)) * time.Microsecond
}
