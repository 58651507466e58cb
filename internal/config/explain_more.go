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
