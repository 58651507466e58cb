package pressure

import "time"

// stallMeter measures which part of the time all tasks stalled, over windows of
// the judge's own: of a stall that is over PSI's averages tell for ten seconds
// more, and somebody else's file would be the reason for a kill.
type stallMeter struct {
	start  time.Duration
	base   uint64 // the total at start, microseconds
	before uint32 // the share of the window before, hundredths of a percent
}

// shares gives the more and the less of the window under way and the one before,
// in hundredths of a percent. A window counts whole from its first instant: a hiccup of 10ms
// is not all of a window of 10ms. One that nobody looked at for long says nothing.
func (m *stallMeter) shares(s *Sample, window time.Duration, seen bool) (more, less uint32) {
	if s.Has&HasStall == 0 || window <= 0 {
		return 0, 0
	}
	passed := s.At - m.start
	if !seen || passed > 2*window {
		*m, passed = stallMeter{start: s.At, base: s.Stall.FullTotal}, 0
	}
	stalled := s.Stall.FullTotal - min(m.base, s.Stall.FullTotal)
	now := uint32(min(stalled*10000/uint64(max(passed, window).Microseconds()), 10000))
	more, less = max(now, m.before), min(now, m.before)
	if passed >= window {
		m.start, m.base, m.before = s.At, s.Stall.FullTotal, now
	}
	return more, less
}

// helpless: for longer than a window tasks stall more than swapping can be worth.
func helpless(p *Policy, f *Facts) bool {
	return p.StallMax < 100 && int(f.StallLasting) >= p.StallMax*100
}

// stalling is the second side of the gate: swap full of cold pages, free memory
// below a mark and a cache that is read anew are how a busy machine looks. Only
// tasks that wait for it make a shortage of it. Without PSI it is not asked.
func stalling(p *Policy, s *Sample, share uint32) bool {
	return s.Has&HasStall == 0 || int(share) >= p.StallMin*100
}
