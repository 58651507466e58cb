package pressure

import "strconv"

// clause is one condition of a rule, in the words for both cases. A rule holds
// when all its clauses do.
type clause struct {
	ok   bool
	text string
}

// below says how value stands to a limit: "free 3.1MiB is below min 5.0MiB".
func below(value string, v uint64, limit string, l uint64) clause {
	verb := " is not below "
	if v < l {
		verb = " is below "
	}
	return clause{v < l, value + " " + size(v) + verb + limit + " " + size(l)}
}

// beyond is the same for a percentage that must exceed its limit.
func beyond(value string, v int, limit string, l int) clause {
	verb := " is not beyond "
	if v > l {
		verb = " is beyond "
	}
	return clause{v > l, value + " " + percent(v) + verb + limit + " " + percent(l)}
}

// either picks the words of a fact.
func either(ok bool, yes, no string) clause {
	if ok {
		return clause{true, yes}
	}
	return clause{false, no}
}

const switchedOff = "it is switched off by "

// off is the clause of a rule that a setting switches off.
func off(isOff bool, setting string) clause {
	return either(!isOff, "", switchedOff+setting)
}

// free says how free memory stands to a mark; without marks nothing is below.
func free(f *Facts, m Mark) clause {
	name, limit := "high", f.High
	switch m {
	case BelowLow:
		name, limit = "low", f.Low
	case BelowMin:
		name, limit = "min", f.Min
	}
	c := below("free", f.Free, name, limit)
	c.ok = f.Mark >= m
	return c
}

func swapLow(p *Policy, f *Facts) clause {
	if f.SwapTotal == 0 {
		return clause{false, "there is no swap"}
	}
	return below("free swap", f.SwapFree, percent(p.SwapFreeLowPercentage)+" of swap, that is", share(f.SwapTotal, p.SwapFreeLowPercentage))
}

func thrashing(f *Facts, name string, limit int) clause {
	return beyond("thrashing", f.Thrashing, name, limit)
}

// waited is the clause of StallMin; a policy that asks for no stall has no words
// for it.
func waited(p *Policy, f *Facts) clause {
	switch {
	case p.StallMin <= 0:
		return clause{f.Stalling, ""}
	case f.Stalling && int(f.StallShare) < p.StallMin*100:
		return clause{true, "the kernel measures no stalls"}
	}
	verb := " of the time, less than "
	if f.Stalling {
		verb = " of the time, at least "
	}
	return clause{f.Stalling, "all tasks stalled " + hundredths(f.StallShare) + verb + percent(p.StallMin)}
}

func direct(f *Facts) clause {
	return either(f.Direct, "a task is in direct reclaim", "no task is in direct reclaim")
}

func afterKillClauses(p *Policy, v *Verdict) []clause {
	return []clause{
		off(p.PressureAfterKillMinScore > 1000, "pressure_after_kill_min_score"),
		either(v.Facts.AfterKill, "this follows a kill", "this does not follow a kill"),
		free(&v.Facts, BelowMin),
	}
}

func exhaustedClauses(p *Policy, v *Verdict) []clause {
	f := &v.Facts
	if p.Cgroup {
		return []clause{off(f.Floor == 0, "low_available"), limited(f), off(p.StallMax >= 100, "stall_max"), lasting(p, f)}
	}
	swap := swapLow(p, f)
	switch {
	case f.SwapTotal == 0:
		swap.ok = true
	case !swap.ok && p.StallMax < 100:
		stall := lasting(p, f)
		swap = clause{stall.ok, swap.text + map[bool]string{true: ", but ", false: ", and "}[stall.ok] + stall.text}
	}
	return []clause{off(f.Floor == 0, "low_available"), below("available", f.Available, "the floor", f.Floor), swap}
}

// lasting is the clause of StallMax.
func lasting(p *Policy, f *Facts) clause {
	c := either(helpless(p, f), " of two windows, at least ", " of two windows, less than ")
	c.text = "all tasks stalled " + hundredths(f.StallLasting) + c.text + percent(p.StallMax)
	return c
}

// limited says how much of a cgroup's limit is left.
func limited(f *Facts) clause {
	c := either(belowFloor(f), " is below the floor ", " is not below the floor ")
	c.text = "available " + size(f.Available) + " of the cgroup's limit of " + size(f.Total) + c.text + size(f.Floor)
	return c
}

func notRespondingClauses(p *Policy, v *Verdict) []clause {
	if p.Cgroup {
		return []clause{{false, "of a cgroup one window is no reason"}}
	}
	event := either(v.Event == LevelCritical, "all tasks stalled", "no complete stall was signalled")
	if p.Variant == V15 {
		return []clause{event}
	}
	short := free(&v.Facts, BelowHigh)
	if floor := below("available", v.Facts.Available, "the floor", v.Facts.Floor); v.Facts.Floor > 0 && !short.ok {
		short = clause{floor.ok, floor.text}
		if !floor.ok {
			short.text = free(&v.Facts, BelowHigh).text + " and " + floor.text
		}
	}
	back := returning(&v.Facts)
	if !event.ok || !short.ok {
		back.text = ""
	}
	return []clause{event, short, back}
}

// returning is the clause of wakes.
func returning(f *Facts) clause {
	if near(f) || !wakes(f) {
		return clause{true, ""}
	}
	return clause{false, "what was swapped out may be coming back: " + below("available", f.Available, "twice the floor", 2*f.Floor).text +
		", " + thrashing(f, "the running limit", f.Limit).text + " and the stalls of 10s are " + hundredths(f.FullAvg10)}
}

func lowSwapAndThrashingClauses(p *Policy, v *Verdict) []clause {
	return []clause{swapLow(p, &v.Facts), thrashing(&v.Facts, "the limit", p.ThrashingLimit), waited(p, &v.Facts)}
}

func lowMemAndSwapClauses(p *Policy, v *Verdict) []clause {
	return []clause{free(&v.Facts, BelowLow), swapLow(p, &v.Facts), waited(p, &v.Facts)}
}

func lowMemAndSwapUtilClauses(p *Policy, v *Verdict) []clause {
	return []clause{
		off(p.SwapUtilMax >= 100, "swap_util_max"), free(&v.Facts, BelowLow),
		beyond("swap utilisation", v.Facts.SwapUtil, "the limit", p.SwapUtilMax), waited(p, &v.Facts),
	}
}

func lowMemAndThrashingClauses(p *Policy, v *Verdict) []clause {
	return []clause{free(&v.Facts, BelowLow), thrashing(&v.Facts, "the running limit", v.Facts.Limit), waited(p, &v.Facts)}
}

func directAndThrashingClauses(p *Policy, v *Verdict) []clause {
	return []clause{direct(&v.Facts), thrashing(&v.Facts, "the running limit", v.Facts.Limit), waited(p, &v.Facts)}
}

func directStuckClauses(p *Policy, v *Verdict) []clause {
	limit, f := p.DirectReclaimThreshold, &v.Facts
	if !f.Direct {
		return []clause{off(limit <= 0, "direct_reclaim_threshold_ms"), direct(f)}
	}
	stuck := either(f.DirectFor > limit, ", longer than ", ", no longer than ")
	stuck.text = "a task has been in direct reclaim for " + f.DirectFor.String() + stuck.text + limit.String()
	return []clause{off(limit <= 0, "direct_reclaim_threshold_ms"), stuck}
}

func lowFilecacheClauses(p *Policy, v *Verdict) []clause {
	c := []clause{
		off(p.FilecacheMin == 0, "filecache_min_kb"),
		either(v.Facts.CheckCache, "thrashing came before", "no thrashing came before"),
		below("file cache", v.Facts.FileLRU, "the floor", p.FilecacheMin),
	}
	if p.Variant == V15 {
		return c
	}
	return append(c, free(&v.Facts, BelowHigh))
}

func lowMemClauses(p *Policy, v *Verdict) []clause {
	return []clause{off(p.LowmemMinOOMScore > 1000, "lowmem_min_oom_score"), free(&v.Facts, BelowLow)}
}

func hundredths(v uint32) string { return strconv.FormatFloat(float64(v)/100, 'f', 1, 64) + "%" }

func percent(v int) string { return strconv.Itoa(v) + "%" }

// size writes bytes as a person does: three digits and a unit.
func size(v uint64) string {
	if v < 1<<10 {
		return strconv.FormatUint(v, 10) + "B"
	}
	value, unit := float64(v)/(1<<10), 0
	for value >= 1000 && unit < 3 {
		value, unit = value/1024, unit+1
	}
	digits := 1
	if value >= 100 {
		digits = 0
	}
	return strconv.FormatFloat(value, 'f', digits, 64) + [...]string{"KiB", "MiB", "GiB", "TiB"}[unit]
}
