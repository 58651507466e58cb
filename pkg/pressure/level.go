package pressure

import "time"

const (
	// levelAhead is how soon memory must reach its floor, as fast as it falls, for
	// the level to be critical before anything is done.
	levelAhead = time.Second
	// levelShare is the share of memory in percent above which no level is raised
	// where MaxAvailable sets no such gate.
	levelShare = 50
)

// Level grades the verdict for those who would give memory back by themselves:
//
//   - critical: somebody must die now, or memory reaches its floor within a second;
//   - medium: tasks lose time to memory (a PSI event), less than twice the floor
//     is available, more of the file cache is read anew than the running limit, or
//     swap is low while free memory is below the low watermark;
//   - low: the kernel shows pressure and no more than MaxAvailable of memory is
//     available, or half of it where there is no such gate;
//   - none: anything else.
//
// A reason that only sheds what can be spared is no more than medium. It allocates
// nothing.
func (v *Verdict) Level(p *Policy) Level {
	f := &v.Facts
	switch {
	case v.Act && !v.Reason.Sheds():
		return LevelCritical
	case !f.Pressed || f.Plenty || p.MaxAvailable == 0 && f.Available > share(f.Total, levelShare):
		return LevelNone
	case near(f) && f.Ahead > 0 && f.Ahead <= levelAhead:
		return LevelCritical
	case v.Act || v.Event >= LevelMedium || near(f) || f.Thrashing > f.Limit || f.SwapLow && belowLow(f):
		return LevelMedium
	}
	return LevelLow
}

// near tells that less than twice the floor is available.
func near(f *Facts) bool { return f.Available < 2*f.Floor }

// Grade says in one sentence why the level is what it is.
func (v *Verdict) Grade(p *Policy) string {
	f := &v.Facts
	level := v.Level(p)
	return level.String() + ": " + v.graded(p, f, level)
}

func (v *Verdict) graded(p *Policy, f *Facts, level Level) string {
	available := size(f.Available) + " of " + size(f.Total) + " is available"
	switch {
	case level == LevelNone && !f.Pressed:
		return "no pressure, " + available
	case level == LevelNone:
		return "memory to spare, " + available
	case level == LevelCritical && v.Act:
		return v.Reason.String() + ", " + v.Because(p)
	case level == LevelCritical:
		return "memory and swap fall by " + size(f.Fall) + " a second and reach the floor " + size(f.Floor) + " in " + f.Ahead.String()
	case level == LevelLow:
		return "the kernel reclaims or tasks wait, and " + available
	}
	return join(v.pains(p, f))
}

// pains are the conditions of LevelMedium that hold.
func (v *Verdict) pains(p *Policy, f *Facts) (texts []string) {
	if v.Act && v.Reason != LowMem {
		texts = append(texts, v.Because(p))
	}
	if v.Event >= LevelMedium {
		texts = append(texts, "tasks lose time to memory")
	}
	if near(f) {
		texts = append(texts, below("available", f.Available, "twice the floor", 2*f.Floor).text)
	}
	if f.Thrashing > f.Limit {
		texts = append(texts, thrashing(f, "the running limit", f.Limit).text)
	}
	if low := free(f, BelowLow); low.ok && (f.SwapLow || v.Act) {
		texts = append(texts, low.text)
	}
	if f.SwapLow && belowLow(f) {
		texts = append(texts, swapLow(p, f).text)
	}
	return texts
}
