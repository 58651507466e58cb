package config

import (
	"fmt"
	"strings"

	"github.com/lmkd/lmkd/pkg/pressure"
)

// explainWake says what ends a rest.
func (c *Config) explainWake() string {
	m := &c.Machine
	if m.Vmpressure {
		return "I wake when the kernel's vmpressure says low, medium or critical (memory.pressure_level of cgroup v1), or when it begins to reclaim."
	}
	var when []string
	if m.Low > 0 {
		when = append(when, fmt.Sprintf("some tasks lost %s to memory within %s (a low event)", FormatTime(m.Low), FormatTime(m.Window)))
	}
	if m.Partial > 0 {
		when = append(when, fmt.Sprintf("some tasks lost %s to memory within %s", FormatTime(m.Partial), FormatTime(m.Window)))
	}
	if m.Complete > 0 {
		when = append(when, fmt.Sprintf("all of them at once lost %s of %s", FormatTime(m.Complete), FormatTime(m.Window)))
	}
	when = append(when, "the kernel begins to reclaim")
	last := len(when) - 1
	if last == 0 {
		return "I wake when " + when[0] + ", and for no stall."
	}
	return "I wake when " + strings.Join(when[:last], ", when ") + ", or when " + when[last] + "."
}

func whenMinfree(p *pressure.Policy) string {
	if p.Minfree == (pressure.Targets{}) {
		return "free memory beyond the high watermarks and the file cache are both below a target that a client named (LMK_TARGET)"
	}
	return "free memory beyond the high watermarks and the file cache are both below one of " + formatTargets(p.Minfree) +
		" (pages:oom_score_adj, until a client names others by LMK_TARGET)"
}

func levelIsReason(p *pressure.Policy) bool {
	return min(p.LowMinAdj, p.MediumMinAdj, p.CriticalMinAdj) <= 1000
}

// whenLevel says which events count, and as what.
func whenLevel(p *pressure.Policy) string {
	s := "the kernel says"
	var levels []string
	for _, l := range []struct {
		name string
		bar  int
	}{{"low", p.LowMinAdj}, {"medium", p.MediumMinAdj}, {"critical", p.CriticalMinAdj}} {
		if l.bar <= 1000 {
			levels = append(levels, l.name)
		}
	}
	s += " " + strings.Join(levels, " or ")
	if p.CriticalUpgrade {
		s += fmt.Sprintf(", which counts one level higher while less than %d%% of the memory and swap in use is memory", p.UpgradePressure)
	}
	if p.UpgradePressure < 100 {
		s += fmt.Sprintf(", critical as medium while more than %d%% of it is memory and swap is left", p.UpgradePressure)
	}
	if p.DowngradePressure < 100 {
		s += fmt.Sprintf(", and not while more than %d%% of it is memory and swap is left", p.DowngradePressure)
	}
	if !p.LowRAM {
		s += ", and less is free than ever was at a low event"
	}
	return s
}

func whomLevel(p *pressure.Policy) string {
	return fmt.Sprintf("processes at oom_score_adj %d, %d or %d and above, by the level low, medium or critical,", p.LowMinAdj, p.MediumMinAdj, p.CriticalMinAdj)
}
