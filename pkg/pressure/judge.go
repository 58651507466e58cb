package pressure

import "time"

// Input is what one judgement looks at.
type Input struct {
	Sample  *Sample
	Event   Level   // the PSI trigger that fired, LevelNone for a poll
	Reclaim Reclaim // what reclaim events say
	Targets Targets // what a client asked for by LMK_TARGET, in place of the policy's; all zero without one
}

// Facts are what the judge computed from a sample: every number that a rule
// compares.
type Facts struct {
	Total        uint64 // MemTotal, bytes
	Free         uint64 // MemFree without CMA, bytes
	Available    uint64 // MemAvailable and what it misses, bytes
	Floor        uint64 // LowAvailable holds below it, bytes; 0 when the rule is off
	Min          uint64 // the summed marks, bytes; 0 when zoneinfo was not read
	Low          uint64
	High         uint64
	Mark         Mark
	SwapTotal    uint64 // bytes, 0 without swap
	SwapFree     uint64 // effective free swap, bytes
	SwapLow      bool
	ZramCost     int // what a page in zram takes of RAM, percent; 0 where it is not measured
	SwapUtil     int // percent of anonymous memory that is swapped out
	Thrashing    int // percent of the file LRU refaulted in the window
	Limit        int // the running thrashing limit, percent
	FileLRU      uint64
	Direct       bool          // a task is in direct reclaim
	DirectFor    time.Duration // the longest of them, 0 when not known
	Kswapd       bool
	Pressed      bool          // the kernel showed pressure: event, reclaim, refaults or stalls; or memory fell near its floor
	AfterKill    bool          // first judgement after a kill
	FullAvg10    uint32        // PSI full avg10, hundredths of a percent
	Stalled      bool          // FullAvg10 is beyond the limit
	CheckCache   bool          // LowFilecacheAfterThrashing is armed
	Plenty       bool          // more is available than MaxAvailable: nothing is done
	Exhausted    bool          // available memory is below its floor, and swap low or of no help
	StallShare   uint32        // the part of the last second or two that all tasks stalled, hundredths of a percent
	StallLasting uint32        // the lesser of its two windows'
	Stalling     bool          // it is at least StallMin, or is not to be known
	Fall         uint64        // how fast available memory and free swap fall, bytes a second
	Ahead        time.Duration // until they cross the floor at that rate, 0 when they do not fall
	MaxThrashing int           // the most of Thrashing since the last kill

	// Of the older strategies alone.
	Spare     uint64 // free memory beyond the high marks, bytes
	FileCache uint64 // what the page cache can give back, bytes
	Target    uint64 // of the first target that both are below, bytes; 0 for none
	TargetAdj int16
	Used      int    // memory in use, percent of memory and swap in use
	Level     Level  // what the event counts as
	LowFree   uint64 // the most free memory at a low event, bytes; 0 before the first
}

// Verdict says whether to act, why, and whom it may reach.
type Verdict struct {
	Act    bool
	Reason Reason
	MinAdj int16 // the lowest oom_score_adj that may die
	Event  Level
	Facts  Facts
}

// State is what the judge remembers from one sample to the next. The zero value
// has seen nothing.
type State struct {
	seen       bool
	killed     bool
	checkCache bool
	limit      int // running thrashing limit, percent

	windowStart time.Duration
	baseRefault uint64
	baseFileLRU uint64
	baseMapped  uint64
	carried     int

	stalls stallMeter
	fall   fall

	maxThrashing int
	lowFree      uint64

	last    Sample
	verdict Verdict // the last one
}

// Judge takes one sample into st and gives the verdict on it. It allocates
// nothing.
func Judge(p *Policy, st *State, in *Input) Verdict {
	v := &st.verdict // the rules are values: a verdict of ours would move to the heap
	*v = Verdict{Reason: None, Event: in.Event, Facts: st.measure(p, in)}
	if v.Facts.Pressed && !v.Facts.Plenty {
		decide(p, v)
	}
	st.checkCache = v.Facts.CheckCache
	st.remember(in.Sample)
	return *v
}

// Killed tells st that the verdict v led to a kill, so that the next judgement
// starts a new window and knows that it follows a kill.
func (st *State) Killed(p *Policy, v *Verdict) {
	st.killed, st.maxThrashing = true, 0
	if v.Reason == LowMemAndThrashing || v.Reason == DirectReclaimAndThrashing {
		st.limit = st.limit * (100 - p.ThrashingLimitDecay) / 100
	}
}

// measure computes the facts of a sample in the order that Android's judge has.
func (st *State) measure(p *Policy, in *Input) Facts {
	s := in.Sample
	f := Facts{AfterKill: st.killed, CheckCache: st.checkCache}
	if st.killed || !st.seen {
		st.restart(p, s)
	}
	st.killed = false
	f.Total, f.SwapTotal = s.Memory.Total, s.Memory.SwapTotal
	if s.Has&HasAvailable != 0 {
		f.Floor = p.Floor(s)
	}
	f.Min, f.Low, f.High = s.Watermarks.Min, s.Watermarks.Low, s.Watermarks.High
	f.FullAvg10 = s.Stall.FullAvg10
	f.Free = s.Memory.Free - min(s.Memory.Free, s.Memory.CmaFree)
	f.Available = s.Memory.Available + s.Memory.ReclaimableElsewhere
	f.FileLRU = s.Memory.ActiveFile + s.Memory.InactiveFile
	f.Mark = mark(f.Free, s)
	f.SwapFree = effectiveSwapFree(p, s)
	if p.SwapMeasured {
		f.ZramCost = zramCost(s)
	}
	f.SwapLow = f.SwapFree < share(s.Memory.SwapTotal, p.SwapFreeLowPercentage)
	f.SwapUtil = swapUtil(&s.Memory, f.SwapFree)
	st.reclaim(in, &f)
	f.Pressed = f.Direct || f.Kswapd || st.cameBack(s) ||
		!p.OnlyReclaim && (in.Event != LevelNone || f.AfterKill || !p.Cgroup && st.fell(&f) || st.stalled(s))
	f.Thrashing, f.Limit = st.thrashing(p, s)
	st.maxThrashing = max(st.maxThrashing, f.Thrashing)
	f.MaxThrashing = st.maxThrashing
	f.Stalled = int(f.FullAvg10) > p.StallLimitCritical*100
	f.Plenty = p.MaxAvailable > 0 && s.Has&HasAvailable != 0 &&
		f.Available > share(s.Memory.Total, p.MaxAvailable)
	st.trends(p, s, &f)
	f.Exhausted = exhausted(p, s, &f)
	st.older(p, in, &f)
	return f
}

// trends are the facts that need more than the last two samples.
func (st *State) trends(p *Policy, s *Sample, f *Facts) {
	f.StallShare, f.StallLasting = st.stalls.shares(s, p.ThrashingWindow, st.seen)
	f.Stalling = stalling(p, s, f.StallShare)
	if f.AfterKill {
		st.fall.n = 0 // what comes back says nothing of what is taken
	}
	if s.Has&HasAvailable != 0 {
		f.Fall = st.fall.add(s.At, f.Available+f.SwapFree)
		f.Ahead = untilFloor(f)
	}
}

// fell tells whether a machine's memory near its floor is less than at the last look: before
// it is full nothing is reclaimed and nobody waits. That it is short, and has been
// for long, kills nobody.
func (st *State) fell(f *Facts) bool {
	return st.seen && near(f) && f.Available < st.last.Memory.Available+st.last.Memory.ReclaimableElsewhere
}

// cameBack tells whether pages came back that had been reclaimed.
func (st *State) cameBack(s *Sample) bool {
	return st.seen && s.Counters.Refault != st.last.Counters.Refault
}

// stalled tells whether tasks waited for memory, or the kernel killed one.
func (st *State) stalled(s *Sample) bool {
	return st.seen && (s.Stall.SomeTotal != st.last.Stall.SomeTotal ||
		s.Counters.OOMKill != st.last.Counters.OOMKill)
}

// reclaim takes the reclaim state from events, or from counters that moved
// since the last sample.
func (st *State) reclaim(in *Input, f *Facts) {
	if in.Reclaim.Known {
		f.Direct, f.Kswapd = in.Reclaim.Direct, in.Reclaim.Kswapd
		if f.Direct && in.Reclaim.DirectSince > 0 {
			f.DirectFor = in.Sample.At - in.Reclaim.DirectSince
		}
		return
	}
	if !st.seen {
		return
	}
	now, then := &in.Sample.Counters, &st.last.Counters
	f.Direct = now.PgscanDirect != then.PgscanDirect || now.AllocStall != then.AllocStall
	f.Kswapd = now.PgscanKswapd != then.PgscanKswapd || now.Pgrefill != then.Pgrefill
}

func (st *State) remember(s *Sample) {
	st.seen = true
	st.last = *s
}

// share gives percent of total.
func share(total uint64, percent int) uint64 { return total / 100 * uint64(percent) }

// mark compares free memory with the zones' marks.
func mark(free uint64, s *Sample) Mark {
	w := &s.Watermarks
	switch {
	case s.Has&HasWatermarks == 0:
		return AboveHigh
	case free < w.Min:
		return BelowMin
	case free < w.Low:
		return BelowLow
	case free < w.High:
		return BelowHigh
	}
	return AboveHigh
}

// exhausted is what our own reason watches: available memory is below the
// floor AND free swap is low, or there is none, or tasks stall so much that what
// is left of it helps nobody.
func exhausted(p *Policy, s *Sample, f *Facts) bool {
	if s.Has&HasAvailable == 0 {
		return false
	}
	if p.Cgroup {
		return belowFloor(f) && helpless(p, f)
	}
	return belowFloor(f) && (s.Memory.SwapTotal == 0 || f.SwapLow || helpless(p, f))
}

// Floor gives the available memory in bytes below which LowAvailable holds, 0
// when the rule is off.
func (p *Policy) Floor(s *Sample) uint64 {
	floor := share(s.Memory.Total, p.LowAvailable)
	if p.LowAvailableBytes > 0 {
		floor = min(floor, p.LowAvailableBytes)
	}
	return floor
}
