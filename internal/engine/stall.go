package engine

import (
	"time"

	"github.com/lmkd/lmkd/pkg/pressure"
)

// stallMeter does what the PSI triggers do, from the totals of samples: it
// tells when the stalls since the start of a window reached a threshold. Each
// has a window of its own, for every complete stall is a partial one too.
type stallMeter struct {
	low, some, full stallWindow
}

// stallWindow is one trigger's.
type stallWindow struct {
	known bool
	start time.Duration
	base  uint64 // the total at the start, microseconds
}

// level gives what the triggers would have said by now.
func (m *stallMeter) level(p *Policy, s *pressure.Sample) pressure.Level {
	if s.Has&pressure.HasStall == 0 {
		return pressure.LevelNone
	}
	low := m.low.reached(s.At, s.Stall.SomeTotal, p.Low, p.Window)
	partial := m.some.reached(s.At, s.Stall.SomeTotal, p.Partial, p.Window)
	complete := m.full.reached(s.At, s.Stall.FullTotal, p.Complete, p.Window)
	switch {
	case complete:
		return pressure.LevelCritical
	case partial:
		return pressure.LevelMedium
	case low:
		return pressure.LevelLow
	}
	return pressure.LevelNone
}

// reached tells whether the total grew by the threshold, and starts a new
// window after it did or when the old one is over. A window much longer than
// its length says nothing about a rate: the daemon was stopped, or rested. A
// threshold of 0 is never reached.
func (w *stallWindow) reached(at time.Duration, total uint64, threshold, length time.Duration) bool {
	stalled := time.Duration(total-min(total, w.base)) * time.Microsecond
	spoke := w.known && threshold > 0 && stalled >= threshold && at-w.start <= 2*length
	if !w.known || spoke || at-w.start >= length {
		*w = stallWindow{true, at, total}
	}
	return spoke
}
