package config

import (
	"fmt"
	"strings"

	"github.com/lmkd/lmkd/internal/engine"
	"github.com/lmkd/lmkd/pkg/pressure"
)

// Explain says in sentences what the daemon does under c: what wakes it, when
// it acts, whom it chooses and how long it waits.
func (c *Config) Explain() []string {
	out := []string{c.explainWake(), c.explainLooks()}
	out = append(out, c.explainGate()...)
	out = append(out, c.explainReasons()...)
	out = append(out, c.explainStalls()...)
	out = append(out, c.explainDecay()...)
	out = append(out, c.explainMarks())
	out = append(out, c.explainBar()...)
	out = append(append(out, c.explainLevels()...), explainActs("the", c.Machine.Relief)...)
	out = append(out, c.explainVictims(), c.explainNever())
	out = append(out, c.explainRegistered()...)
	out = append(append(out, c.explainCgroups()...), c.explainRules()...)
	out = append(append(out, c.explainKill()), c.explainDomains()...)
	return append(out, c.explainTelling()...)
}

func (c *Config) explainLooks() string {
	m := &c.Machine
	switch {
	case m.Vmpressure:
		return "Then I look at memory once for each word of the kernel."
	case m.Pressure.Strategy != pressure.ByReclaim:
		return fmt.Sprintf("Then I look at memory every %s for %s, as if the word were spoken again.", FormatTime(m.PollUrgent), FormatTime(m.Window))
	}
	s := fmt.Sprintf("Then I look at memory every %s for %s, every %s while swap is low or after a kill", FormatTime(m.Poll), FormatTime(m.Window), FormatTime(m.PollUrgent))
	if m.FillRate > 0 {
		s += fmt.Sprintf(", and on, at least every %s, while the kernel reclaims; sooner the nearer memory is to exhaustion, as if it were filled by %s, or twice as fast as it falls", FormatTime(m.PollSlow), formatRate(m.FillRate))
	}
	return s + "."
}

// explainGate says what must hold beside any reason.
func (c *Config) explainGate() []string {
	p := &c.Machine.Pressure
	if p.Strategy == pressure.ByLevel {
		return []string{"I act only on the kernel's word, or a look that follows it."}
	}
	pressed := "I act only under pressure: while the kernel reclaims memory or pages come back"
	switch {
	case p.Strategy == pressure.ByMinfree:
		pressed += ", or on the kernel's word and a look that follows it"
	case !p.OnlyReclaim:
		pressed += ", tasks stall, something was just killed, or memory fell to less than twice the floor of low_available"
	}
	out := []string{pressed + "."}
	if p.MaxAvailable > 0 {
		out = append(out, fmt.Sprintf("I never act while more than %d%% of memory is available.", p.MaxAvailable))
	}
	return out
}

// explainLevels says what subscribers are told.
func (c *Config) explainLevels() []string {
	p := &c.Machine.Pressure
	share := p.MaxAvailable
	if share == 0 {
		share = 50
	}
	floor, ahead := "", ""
	if p.LowAvailable > 0 {
		floor = fmt.Sprintf(", less than twice %s of memory is available", floorOf(p))
		ahead = fmt.Sprintf(", or less than twice %s is available and reaches that floor within a second as fast as it falls", floorOf(p))
	}
	return []string{
		fmt.Sprintf("The level of pressure is low while the kernel reclaims or tasks wait and no more than %d%% of memory is available;", share),
		"  medium when besides tasks lose time as above" + floor + ", the file cache thrashes, or swap is low with free memory below the low watermark;",
		"  critical when I act" + ahead + ". It falls 2s after the last look that found it, and to none before I rest.",
	}
}

// explainActs says what is tried before a kill of a domain.
func explainActs(whose string, acts []engine.Relief) (out []string) {
	waits := false
	for i := range acts {
		r := &acts[i]
		where := strings.Join(r.Cgroups, ", ")
		text := fmt.Sprintf("When %s level comes to %s ", whose, r.At)
		switch r.Act {
		case engine.Notify:
			text += "I say so in the log"
		case engine.Reclaim:
			text += fmt.Sprintf("I have the kernel reclaim up to %s from %s, for %s at most and until the level falls", FormatSize(r.Amount), where, FormatTime(r.For))
		case engine.Freeze:
			text += fmt.Sprintf("I freeze %s, for %s at most and until the level falls, unless a process in there is protected", where, FormatTime(r.For))
		}
		waits = waits || r.Act != engine.Notify
		out = append(out, text+fmt.Sprintf("; again %s after that at the soonest.", FormatTime(r.Pause)))
	}
	if waits {
		out = append(out, "A kill waits for these, 2s at most, unless memory is exhausted or about to be, free memory is below the min watermark, or all tasks stall.")
	}
	return out
}

// explainReasons lists the reasons in the order in which they are looked for,
// and in one sentence those that are switched off.
func (c *Config) explainReasons() []string {
	var out, silent []string
	for _, r := range pressure.Reasons() {
		if !c.Machine.Pressure.LooksFor(r) {
			continue
		}
		when, whom := condition(&c.Machine.Pressure, r)
		if when == "" {
			silent = append(silent, r.String())
			continue
		}
		out = append(out, fmt.Sprintf("I act when %s (%s): %s may die.", when, r, whom))
	}
	if len(silent) > 0 {
		out = append(out, "I do not act for "+strings.Join(silent, ", ")+": switched off.")
	}
	return out
}

// condition says when a reason holds and whom it reaches; when is empty for one
// that is switched off.
func condition(p *pressure.Policy, r pressure.Reason) (when, whom string) {
	e, ok := reasons[r]
	if !ok {
		return "a rule holds that this program cannot put into words", reach(0)
	}
	if e.on != nil && !e.on(p) {
		return "", ""
	}
	return e.when(p), e.whom(p)
}

// explanation is one reason in words.
type explanation struct {
	on   func(*pressure.Policy) bool // nil: always
	when func(*pressure.Policy) string
	whom func(*pressure.Policy) string
}

var reasons = map[pressure.Reason]explanation{
	pressure.PressureAfterKill: {
		func(p *pressure.Policy) bool { return p.PressureAfterKillMinScore <= 1000 },
		func(*pressure.Policy) string {
			return "free memory is below the min watermark right after a kill"
		},
		func(p *pressure.Policy) string { return reach(p.PressureAfterKillMinScore) },
	},
	pressure.LowAvailable: {
		func(p *pressure.Policy) bool { return p.LowAvailable > 0 },
		whenLowAvailable, reachAll,
	},
	pressure.ExhaustionAhead: {
		func(p *pressure.Policy) bool { return p.ExhaustionHorizon > 0 && p.LowAvailable > 0 },
		func(p *pressure.Policy) string {
			return fmt.Sprintf("less than twice %s of memory is available and, as fast as it falls, it reaches that floor within %s with all swap filled", floorOf(p), FormatTime(p.ExhaustionHorizon))
		},
		reachAll,
	},
	pressure.NotResponding: {
		nil,
		func(p *pressure.Policy) string {
			if p.LowAvailable == 0 || p.Variant == pressure.V15 {
				return "all tasks stall" + belowHigh(p)
			}
			return "all tasks stall" + belowHigh(p) + " or less than " + floorOf(p) + " is available"
		},
		reachAll,
	},
	pressure.LowSwapAndThrashing: {
		func(p *pressure.Policy) bool { return p.SwapFreeLowPercentage > 0 },
		func(p *pressure.Policy) string {
			return fmt.Sprintf("less than %s is free and more than %s%s", swapFree(p), refaulted(p), waiting(p))
		},
		reachUnlessExhausted,
	},
	pressure.LowMemAndSwap: {
		func(p *pressure.Policy) bool { return p.SwapFreeLowPercentage > 0 },
		func(p *pressure.Policy) string {
			return fmt.Sprintf("free memory is below the low watermark and less than %s is free%s", swapFree(p), waiting(p))
		},
		reachUnlessExhausted,
	},
	pressure.LowMemAndSwapUtil: {
		func(p *pressure.Policy) bool { return p.SwapUtilMax < 100 },
		func(p *pressure.Policy) string {
			return fmt.Sprintf("free memory is below the low watermark and more than %d%% of anonymous memory is swapped out%s", p.SwapUtilMax, waiting(p))
		},
		reachAll,
	},
	pressure.LowMemAndThrashing: {
		nil,
		func(p *pressure.Policy) string {
			return "free memory is below the low watermark and more than " + refaulted(p) + waiting(p)
		},
		reachUnlessCritical,
	},
	pressure.DirectReclaimAndThrashing: {
		nil,
		func(p *pressure.Policy) string {
			return "a task must reclaim memory itself and more than " + refaulted(p) + waiting(p)
		},
		reachUnlessCritical,
	},
	pressure.DirectReclaimStuck: {
		func(p *pressure.Policy) bool { return p.DirectReclaimThreshold > 0 },
		func(p *pressure.Policy) string {
			return "one task has reclaimed memory for longer than " + FormatTime(p.DirectReclaimThreshold)
		},
		reachAll,
	},
	pressure.LowFilecacheAfterThrashing: {
		func(p *pressure.Policy) bool { return p.FilecacheMin > 0 },
		func(p *pressure.Policy) string {
			return fmt.Sprintf("after thrashing less than %s of file cache is left%s", FormatSize(p.FilecacheMin), belowHigh(p))
		},
		func(p *pressure.Policy) string { return reach(p.PerceptibleMinAdj) },
	},
	pressure.LowMem: {
		func(p *pressure.Policy) bool { return p.LowmemMinOOMScore <= 1000 },
		func(*pressure.Policy) string { return "free memory is below the low watermark" },
		func(p *pressure.Policy) string { return reach(p.LowmemMinOOMScore) },
	},
	pressure.LowMinfree:    {nil, whenMinfree, func(*pressure.Policy) string { return "processes at the oom_score_adj of that target and above" }},
	pressure.PressureLevel: {levelIsReason, whenLevel, whomLevel},
}

func whenLowAvailable(p *pressure.Policy) string {
	floor := floorOf(p)
	if p.SwapFreeLowPercentage == 0 {
		return fmt.Sprintf("less than %s of memory is available and there is no swap", floor)
	}
	s := fmt.Sprintf("less than %s of memory is available and there is no swap, or less than %s is free", floor, swapFree(p))
	if p.StallMax < 100 {
		s += fmt.Sprintf(", or all tasks stall at least %d%% of the time for longer than %s", p.StallMax, FormatTime(p.ThrashingWindow))
	}
	return s
}

// floorOf is the available memory that low_available and exhaustion_ahead know.
func floorOf(p *pressure.Policy) string {
	floor := fmt.Sprintf("%d%%", p.LowAvailable)
	if p.LowAvailableBytes > 0 {
		floor += " (at most " + FormatSize(p.LowAvailableBytes) + ")"
	}
	return floor
}

// waiting is the second side of a gate: that tasks suffer from it.
func waiting(p *pressure.Policy) string {
	if p.StallMin == 0 {
		return ""
	}
	return fmt.Sprintf(" while all tasks stall at least %d%% of the time", p.StallMin)
}

func swapFree(p *pressure.Policy) string {
	s := fmt.Sprintf("%d%% of swap", p.SwapFreeLowPercentage)
	if p.SwapMeasured {
		return s + " (of zram, what compression gains)"
	}
	if p.SwapCompressionRatio > 0 {
		s += " (or of what " + backing(p) + " can still back of it" + timesOver(p) + ")"
	}
	return s
}

func refaulted(p *pressure.Policy) string {
	how := "came back"
	if p.ThrashingMapped {
		how = "came back in page faults"
	}
	return fmt.Sprintf("%d%% of the file cache %s within %s", p.ThrashingLimit, how, FormatTime(p.ThrashingWindow))
}

func belowHigh(p *pressure.Policy) string {
	if p.Variant == pressure.V15 {
		return ""
	}
	return " while free memory is below the high watermark"
}

func reach(minAdj int) string {
	return fmt.Sprintf("processes at oom_score_adj %d and above", minAdj)
}

func reachAll(*pressure.Policy) string { return reach(0) }

func reachUnlessCritical(p *pressure.Policy) string {
	if p.PerceptibleMinAdj == 0 {
		return reach(0)
	}
	return fmt.Sprintf("%s, those at 0 and above once %d%% came back,", reach(p.PerceptibleMinAdj), p.ThrashingLimitCritical)
}

func reachUnlessExhausted(p *pressure.Policy) string {
	if p.PerceptibleMinAdj == 0 {
		return reach(0)
	}
	return fmt.Sprintf("%s, those at 0 and above once free memory is below the min watermark or %d%% of the file cache came back,",
		reach(p.PerceptibleMinAdj), p.ThrashingLimitCritical)
}

// explainBar says what happens when a reason reaches nobody.
func (c *Config) explainBar() []string {
	p := &c.Machine.Pressure
	if p.Strategy != pressure.ByReclaim || p.PerceptibleMinAdj == 0 && p.PressureAfterKillMinScore == 0 {
		return nil
	}
	return []string{"When a reason other than low_mem reaches nobody, at the next look it reaches those at 701 and above, then at 201, then at 0."}
}

func (c *Config) explainStalls() []string {
	if p := &c.Machine.Pressure; p.Strategy == pressure.ByReclaim && p.StallLimitCritical < 100 {
		return []string{fmt.Sprintf("When all tasks were stalled for more than %d%% of the last 10s, any of these reasons reaches %s.", p.StallLimitCritical, reach(0))}
	}
	return nil
}

func (c *Config) explainVictims() string {
	v := &c.Machine.Victim
	s := "Of those I take the one with the highest oom_score_adj"
	if n := len(v.Bands); n > 0 {
		classes := make([]string, n)
		for i, low := range v.Bands {
			classes[i] = fmt.Sprintf("%d and above", low)
		}
		s = "Of those I take one at oom_score_adj " + strings.Join(classes, ", then ") + ", then the rest"
	}
	s += "; among equals the one that gives back the most"
	if v.MinGain > 0 {
		s += fmt.Sprintf("; one that gives back less than %s comes after all others", FormatSize(v.MinGain))
	}
	if v.GrowthWeight > 0 {
		s += fmt.Sprintf("; what a process grew by since memory became short counts %d times", v.GrowthWeight+1)
	}
	if v.Brood > 0 {
		s += fmt.Sprintf("; %d young children of one parent and one name die with that parent, so many orphans with their process group", v.Brood)
	}
	return s + "."
}

// explainCgroups says which settings of cgroups count.
func (c *Config) explainCgroups() (out []string) {
	if c.Machine.Victim.OOMGroup {
		out = append(out, "One in a cgroup whose memory.oom.group is 1 dies with all of that cgroup, as the kernel does it, and counts as much as they have together.")
	}
	if c.Machine.Victim.Preference {
		out = append(out, "I spare those whose cgroup has systemd's ManagedOOMPreference=omit, and take those with avoid last.")
	}
	return out
}

// explainRules says what the rules of the file do, and that others stand behind.
func (c *Config) explainRules() []string {
	var out []string
	for i := range c.Rules {
		out = append(out, fmt.Sprintf("Rule %d holds for whom none before it does: %s.", i+1, c.Rules[i].Name))
	}
	if !c.Protect {
		return append(out, "I protect nobody else.")
	}
	return append(out, "I spare what keeps the machine, its sessions and its containers together, while it holds less than half of all memory.")
}

func (c *Config) explainNever() string {
	s := "I never choose init, kernel threads, myself, my ancestors, or a process at oom_score_adj -1000"
	for _, name := range c.Machine.Victim.Never {
		s += ", or one named " + quote(name)
	}
	return s + "."
}

func (c *Config) explainKill() string {
	m := &c.Machine
	s := "I wait until the victim is gone before I look again, however long it takes."
	if t := m.KillTimeout; t > 0 {
		s = fmt.Sprintf("I wait until the victim is gone before I look again, at most %s.", FormatTime(t))
	}
	if m.CountDying {
		s += " Before I choose anybody I count what those who are dying already give back."
	}
	if m.CoolDown > 0 {
		s += fmt.Sprintf(" When a victim is gone and its memory is not back, I wait up to %s for it, unless free memory is below the min watermark.", FormatTime(m.CoolDown))
	}
	if m.TermTimeout > 0 {
		s = fmt.Sprintf("I ask a victim with SIGTERM and kill it %s later, or as soon as half of the floor is gone. ", FormatTime(m.TermTimeout)) + s
	}
	if m.MaxKills > 0 {
		s += fmt.Sprintf(" I make at most %d kills within %s.", m.MaxKills, FormatTime(m.KillWindow))
	}
	if c.Watchdog > 0 {
		s += fmt.Sprintf(" Should I hang for %s while memory is short, my watchdog kills in my place.", FormatTime(c.Watchdog))
	}
	return s
}
