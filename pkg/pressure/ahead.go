package pressure

import "time"

const (
	// fallSpan is the least span of each of the two that a rate is measured
	// over: shorter ones show single allocations.
	fallSpan = 20 * time.Millisecond
	// fallGap is the longest pause between looks that belong to one fall.
	fallGap = time.Second
)

// headroom is how much could still be allocated at one look.
type headroom struct {
	at    time.Duration
	bytes uint64
}

// fall follows available memory and effective free swap over the last looks.
type fall struct {
	looks [8]headroom // the newest first
	n     int
}

// add takes a look and gives the rate of fall in bytes a second, the lesser of
// those over the last two spans; 0 when either did not fall, or is not known.
func (f *fall) add(at time.Duration, bytes uint64) uint64 {
	if f.n > 0 && at-f.looks[0].at > fallGap {
		f.n = 0
	}
	copy(f.looks[1:], f.looks[:])
	f.looks[0] = headroom{at, bytes}
	f.n = min(f.n+1, len(f.looks))
	middle := f.before(0)
	begin := f.before(middle)
	if middle == 0 || begin == middle {
		return 0
	}
	return min(f.rate(begin, middle), f.rate(middle, 0))
}

// before gives the first look that lies a span before look i, or i.
func (f *fall) before(i int) int {
	for j := i + 1; j < f.n; j++ {
		if f.looks[i].at-f.looks[j].at >= fallSpan {
			return j
		}
	}
	return i
}

// rate is the fall from look i to the later look j, bytes a second.
func (f *fall) rate(i, j int) uint64 {
	from, to := &f.looks[i], &f.looks[j]
	if from.bytes <= to.bytes {
		return 0
	}
	return (from.bytes - to.bytes) / uint64((to.at - from.at).Microseconds()) * 1e6
}

// untilFloor is how long the headroom lasts down to the floor if it goes on
// falling so, 0 when it does not fall. It is measured in milliseconds.
func untilFloor(f *Facts) time.Duration {
	if f.Fall < 1000 {
		return 0
	}
	left := f.Available + f.SwapFree
	left -= min(left, f.Floor)
	return max(time.Duration(min(left/(f.Fall/1000), 1e9))*time.Millisecond, time.Millisecond)
}

// exhaustionAhead: memory is low already, and falls so that it crosses the
// floor before the next death could give any back.
func exhaustionAhead(p *Policy, v *Verdict) bool {
	f := &v.Facts
	return p.ExhaustionHorizon > 0 && f.Available < 2*f.Floor && f.Ahead > 0 && f.Ahead <= p.ExhaustionHorizon
}

func exhaustionAheadClauses(p *Policy, v *Verdict) []clause {
	f := &v.Facts
	crosses := either(f.Ahead > 0 && f.Ahead <= p.ExhaustionHorizon, ", within ", ", not within ")
	crosses.text = "memory and swap fall by " + size(f.Fall) + " a second and reach the floor " + size(f.Floor) +
		" in " + f.Ahead.String() + crosses.text + p.ExhaustionHorizon.String()
	if f.Ahead == 0 {
		crosses = clause{false, "memory and swap do not fall"}
	}
	return []clause{
		off(p.ExhaustionHorizon <= 0, "exhaustion_horizon"),
		below("available", f.Available, "twice the floor", 2*f.Floor), crosses,
	}
}
