package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lmkd/lmkd/internal/config"
	"github.com/lmkd/lmkd/internal/engine"
	"github.com/lmkd/lmkd/internal/relief"
)

// actMatches is which cgroups a softer act would reach now.
type actMatches struct {
	Act     string   `json:"act"`
	Cgroups []string `json:"cgroups"`
}

// matchActs looks for the cgroups of every act that reaches any.
func matchActs(cfg *config.Config) (out []actMatches) {
	root := relief.Root("/")
	for i := range cfg.Machine.Relief {
		r := &cfg.Machine.Relief[i]
		if r.Act == engine.Notify {
			continue
		}
		m := actMatches{Act: config.FormatAct(r), Cgroups: []string{}}
		for _, dir := range relief.Find(root, r.Cgroups) {
			m.Cgroups = append(m.Cgroups, strings.TrimPrefix(dir, root))
		}
		out = append(out, m)
	}
	return out
}

// relieves tells whether the machine or any domain has such an act.
func relieves(cfg *config.Config, act engine.Act) bool {
	has := func(p *engine.Policy) bool {
		return slices.ContainsFunc(p.Relief, func(r engine.Relief) bool { return r.Act == act })
	}
	return has(&cfg.Machine) || slices.ContainsFunc(cfg.Domains, func(d config.Domain) bool { return has(&d.Policy) })
}

// writeActs writes a line for each act.
func writeActs(b *strings.Builder, acts []actMatches) {
	if len(acts) > 0 {
		b.WriteString("\nsofter acts and the cgroups that they would reach\n")
	}
	for i := range acts {
		m := &acts[i]
		text := "WARNING: matches no cgroup now"
		if n := len(m.Cgroups); n > 0 {
			text = strings.Join(m.Cgroups[:min(n, shownMatches)], ", ")
			if n > shownMatches {
				text += fmt.Sprintf(" and %d more", n-shownMatches)
			}
		}
		b.WriteString(wrap(m.Act+": "+text, "  ", "    "))
	}
}
