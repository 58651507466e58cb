package pressure

// rule is one branch of the decision: the first that holds gives the reason.
type rule struct {
	reason Reason
	holds  func(p *Policy, v *Verdict) bool
	minAdj func(p *Policy, f *Facts) int
}

// tree is the order of reasons. LowAvailable stands behind what follows a kill
// and before the rest: with memory exhausted, nothing more patient matters.
var tree = [...]rule{
	{PressureAfterKill, afterKill, func(p *Policy, _ *Facts) int { return p.PressureAfterKillMinScore }},
	{LowAvailable, func(_ *Policy, v *Verdict) bool { return v.Facts.Exhausted }, any0},
	{NotResponding, notResponding, any0},
	{LowSwapAndThrashing, lowSwapAndThrashing, unlessExhausted},
	{LowMemAndSwap, lowMemAndSwap, unlessExhausted},
	{LowMemAndSwapUtil, lowMemAndSwapUtil, any0},
	{LowMemAndThrashing, lowMemAndThrashing, unlessCritical},
	{DirectReclaimAndThrashing, directAndThrashing, unlessCritical},
	{DirectReclaimStuck, directStuck, any0},
	{LowFilecacheAfterThrashing, lowFilecache, perceptible},
	{LowMem, lowMem, func(p *Policy, _ *Facts) int { return p.LowmemMinOOMScore }},
}

// decide fills in the verdict of a pressed machine.
func decide(p *Policy, in *Input, v *Verdict) {
	f := &v.Facts
	if f.CheckCache && f.FileLRU >= p.FilecacheMin {
		f.CheckCache = false
	}
	for i := range tree {
		r := &tree[i]
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
	if v.Reason.Thrashing() && v.Reason != LowFilecacheAfterThrashing {
		f.CheckCache = true
	}
}

func belowLow(f *Facts) bool { return f.Mark >= BelowLow }

func afterKill(p *Policy, v *Verdict) bool {
	return v.Facts.AfterKill && v.Facts.Mark == BelowMin && p.PressureAfterKillMinScore <= 1000
}

// notResponding: a complete stall. Since Android 17 it counts only while free
// memory is below the high mark, for a single stall is no shortage.
func notResponding(p *Policy, v *Verdict) bool {
	return v.Event == LevelCritical && (p.Variant == V15 || v.Facts.Mark >= BelowHigh)
}

func lowSwapAndThrashing(p *Policy, v *Verdict) bool {
	return v.Facts.SwapLow && v.Facts.Thrashing > p.ThrashingLimit
}

func lowMemAndSwap(_ *Policy, v *Verdict) bool {
	return v.Facts.SwapLow && belowLow(&v.Facts)
}

func lowMemAndSwapUtil(p *Policy, v *Verdict) bool {
	return belowLow(&v.Facts) && p.SwapUtilMax < 100 && v.Facts.SwapUtil > p.SwapUtilMax
}

func lowMemAndThrashing(_ *Policy, v *Verdict) bool {
	return belowLow(&v.Facts) && v.Facts.Thrashing > v.Facts.Limit
}

func directAndThrashing(_ *Policy, v *Verdict) bool {
	return v.Facts.Direct && v.Facts.Thrashing > v.Facts.Limit
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
