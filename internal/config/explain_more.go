package config

import (
	"fmt"

	"github.com/lmkd/lmkd/pkg/pressure"
)

// explainDecay says how a limit falls after a kill for thrashing.
func (c *Config) explainDecay() []string {
	p := &c.Machine.Pressure
	if p.Strategy != pressure.ByReclaim || p.ThrashingLimitDecay == 0 {
		return nil
	}
	return []string{fmt.Sprintf("A kill for low_mem_and_thrashing or direct_reclaim_and_thrashing lowers their limit by %d%% of itself, until the %s are over.",
		p.ThrashingLimitDecay, FormatTime(p.ThrashingWindow))}
}

// explainMarks says how old the watermarks can be.
func (c *Config) explainMarks() string {
	return fmt.Sprintf("I read the watermarks anew when they are %s old, and before the first kill that rests on them.", FormatTime(c.Machine.WatermarkRefresh))
}

// backing is what Android lets swap in memory be filled from.
func backing(p *pressure.Policy) string {
	if p.RelaxedAvailableMemory {
		return "free memory, clean file pages and what compression gains"
	}
	return "free memory and inactive file pages"
}

// timesOver is how often compression lets a byte back another.
func timesOver(p *pressure.Policy) string {
	r := ratio{over: p.SwapCompressionRatio, under: p.SwapCompressionRatioDiv}
	if r.over == r.under {
		return ""
	}
	return ", " + formatRatio(r) + " times over"
}

// explainTelling says what is told beside, and from when on.
func (c *Config) explainTelling() (out []string) {
	if c.Control.WaitForBoot {
		out = append(out, "I watch nothing until a trusted client says that the machine is up (LMK_START_MONITORING or LMK_BOOT_COMPLETED).")
	}
	if !c.Control.Stats {
		out = append(out, "Clients hear of kills, and not their numbers.")
	}
	if c.Control.SoftLimits {
		out = append(out, "The memory cgroup of each app that a client registers gets a soft limit by its oom_score_adj, where the memory controller is on cgroup v1.")
	}
	if c.Debug {
		out = append(out, "The log explains every verdict that acts and every choice.")
	}
	return out
}
