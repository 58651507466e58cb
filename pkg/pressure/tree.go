package pressure

// rule is one branch of the decision: the first that holds gives the reason.
type rule struct {
	reason  Reason
	holds   func(p *Policy, v *Verdict) bool
	minAdj  func(p *Policy, f *Facts) int
	clauses func(p *Policy, v *Verdict) []clause // holds, taken apart into words
}

// tree is the order of reasons. LowAvailable stands behind what follows a kill
// and before the rest: with memory exhausted, or about to be, nothing more
// patient matters.
var tree = [...]rule{
	{PressureAfterKill, afterKill, func(p *Policy, _ *Facts) int { return p.PressureAfterKillMinScore }, afterKillClauses},
	{LowAvailable, func(_ *Policy, v *Verdict) bool { return v.Facts.Exhausted }, any0, exhaustedClauses},
	{ExhaustionAhead, exhaustionAhead, any0, exhaustionAheadClauses},
	{NotResponding, notResponding, any0, notRespondingClauses},
	{LowSwapAndThrashing, lowSwapAndThrashing, unlessExhausted, lowSwapAndThrashingClauses},
	{LowMemAndSwap, lowMemAndSwap, unlessExhausted, lowMemAndSwapClauses},
	{LowMemAndSwapUtil, lowMemAndSwapUtil, any0, lowMemAndSwapUtilClauses},
	{LowMemAndThrashing, lowMemAndThrashing, unlessCritical, lowMemAndThrashingClauses},
	{DirectReclaimAndThrashing, directAndThrashing, unlessCritical, directAndThrashingClauses},
	{DirectReclaimStuck, directStuck, any0, directStuckClauses},
	{LowFilecacheAfterThrashing, lowFilecache, perceptible, lowFilecacheClauses},
	{LowMem, lowMem, func(p *Policy, _ *Facts) int { return p.LowmemMinOOMScore }, lowMemClauses},
}

// trees are the rules of each strategy.
var trees = [...][]rule{ByReclaim: tree[:], ByMinfree: minfreeTree[:], ByLevel: levelTree[:]}

func (p *Policy) tree() []rule { return trees[p.Strategy] }

// decide fills in the verdict of a pressed machine.
func decide(p *Policy, v *Verdict) {
	f := &v.Facts
	rules := p.tree()
	for i := range rules {
		r := &rules[i]
		if !r.holds(p, v) {
			continue
		}
		v.Act, v.Reason = true, r.reason
		v.MinAdj = int16(r.minAdj(p, f))
		if f.Stalled {
			v.MinAdj = 0
		}
		break
	}
	switch v.Reason {
	case LowSwapAndThrashing, LowMemAndThrashing, DirectReclaimAndThrashing:
		f.CheckCache = true
	case None, LowMem: // the file cache was looked at
		f.CheckCache = f.CheckCache && f.FileLRU < p.FilecacheMin
	}
}

func belowLow(f *Facts) bool { return f.Mark >= BelowLow }

func afterKill(p *Policy, v *Verdict) bool {
	return v.Facts.AfterKill && v.Facts.Mark == BelowMin && p.PressureAfterKillMinScore <= 1000
}

// notResponding: a complete stall. Since Android 17 it counts only while free
// memory is below the high mark, for a single stall is no shortage. Where there
// is a floor, available memory below it counts as well: while kswapd and the
// stalled tasks fill swap, free memory stands above the mark. Above twice the
// floor the mark alone does not count where there is swap: a machine that wakes
// swaps in, all wait, and the cache keeps free memory at the mark. Then programs
// must be read anew, or it must last. One window of a cgroup is not asked for:
// LowAvailable waits for two.
func notResponding(p *Policy, v *Verdict) bool {
	if p.Cgroup {
		return false
	}
	return v.Event == LevelCritical && (p.Variant == V15 || short(&v.Facts))
}

func short(f *Facts) bool {
	return belowFloor(f) || f.Mark >= BelowHigh && (near(f) || !wakes(f))
}

// lastingStall is the full avg10, in hundredths of a percent, that a wake from
// suspend does not come to.
const lastingStall = 50_00

// wakes tells that a stall may be no more than what was swapped out coming back.
func wakes(f *Facts) bool {
	return f.Floor > 0 && f.SwapTotal > 0 && !f.SwapLow && f.Thrashing <= f.Limit && f.FullAvg10 < lastingStall
}

func belowFloor(f *Facts) bool { return f.Available < f.Floor }

func lowSwapAndThrashing(p *Policy, v *Verdict) bool {
	return v.Facts.SwapLow && v.Facts.Thrashing > p.ThrashingLimit && v.Facts.Stalling
}

func lowMemAndSwap(_ *Policy, v *Verdict) bool {
	return v.Facts.SwapLow && belowLow(&v.Facts) && v.Facts.Stalling
}

func lowMemAndSwapUtil(p *Policy, v *Verdict) bool {
	return belowLow(&v.Facts) && p.SwapUtilMax < 100 && v.Facts.SwapUtil > p.SwapUtilMax && v.Facts.Stalling
}

func lowMemAndThrashing(_ *Policy, v *Verdict) bool {
	return belowLow(&v.Facts) && v.Facts.Thrashing > v.Facts.Limit && v.Facts.Stalling
}

func directAndThrashing(_ *Policy, v *Verdict) bool {
	return v.Facts.Direct && v.Facts.Thrashing > v.Facts.Limit && v.Facts.Stalling
}

func directStuck(p *Policy, v *Verdict) bool {
	return p.DirectReclaimThreshold > 0 && v.Facts.Direct && v.Facts.DirectFor > p.DirectReclaimThreshold
}

func lowFilecache(p *Policy, v *Verdict) bool {
	return v.Facts.CheckCache && p.FilecacheMin > 0 && v.Facts.FileLRU < p.FilecacheMin &&
		(p.Variant == V15 || v.Facts.Mark >= BelowHigh)
}

func lowMem(p *Policy, v *Verdict) bool {
	return belowLow(&v.Facts) && p.LowmemMinOOMScore <= 1000
}

func any0(*Policy, *Facts) int { return 0 }

func perceptible(p *Policy, _ *Facts) int { return p.PerceptibleMinAdj }

// unlessExhausted spares the perceptible while free memory holds above the min
// mark and thrashing is not critical.
func unlessExhausted(p *Policy, f *Facts) int {
	if f.Mark != BelowMin && f.Thrashing < p.ThrashingLimitCritical {
		return p.PerceptibleMinAdj
	}
	return 0
}

func unlessCritical(p *Policy, f *Facts) int {
	if f.Thrashing < p.ThrashingLimitCritical {
		return p.PerceptibleMinAdj
	}
	return 0
}
