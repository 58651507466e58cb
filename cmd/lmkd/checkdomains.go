package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/lmkd/lmkd/internal/cgroups"
	"github.com/lmkd/lmkd/internal/config"
)

// domainMatches is which cgroups an item of the domains names now.
type domainMatches struct {
	Cgroups []string `json:"cgroups"`        // the patterns
	Name    string   `json:"name,omitempty"` // of the item
	Count   int      `json:"count"`
	Some    []string `json:"matches,omitempty"` // the first of them
	Note    string   `json:"note,omitempty"`    // why there are none
}

// matchDomains looks for every item which cgroups it names.
func matchDomains(cfg *config.Config) ([]domainMatches, error) {
	if len(cfg.Domains) == 0 {
		return nil, nil
	}
	out := make([]domainMatches, len(cfg.Domains))
	var patterns []cgroups.Pattern
	var of []int
	for i := range cfg.Domains {
		d := &cfg.Domains[i]
		out[i].Name = d.Name
		for _, p := range d.Cgroups {
			out[i].Cgroups = append(out[i].Cgroups, p.String())
			patterns, of = append(patterns, p), append(of, i)
		}
	}
	root, err := cgroups.Root()
	if err == nil {
		var found [][]string
		found, err = cgroups.Find(root, patterns)
		for p, paths := range found {
			out[of[p]].add(paths)
		}
	}
	for i := range out {
		out[i].explain(err)
	}
	if errors.Is(err, cgroups.ErrNone) {
		err = nil // said with each item
	}
	return out, err
}

func (m *domainMatches) add(paths []string) {
	m.Count += len(paths)
	m.Some = append(m.Some, paths[:min(len(paths), max(0, shownMatches-len(m.Some)))]...)
}

func (m *domainMatches) explain(err error) {
	switch {
	case err != nil:
		m.Note = err.Error()
	case m.Count == 0:
		m.Note = "no cgroup matches now; those that come later will"
	}
}

func writeDomains(b *strings.Builder, all []domainMatches) {
	if len(all) > 0 {
		b.WriteString("\ndomains\n")
	}
	for i := range all {
		m := &all[i]
		line := strings.Join(m.Cgroups, " ")
		if m.Name != "" {
			line = m.Name + ": " + line
		}
		switch {
		case m.Note != "":
			line += ": WARNING: " + m.Note
		case m.Count > len(m.Some):
			line += fmt.Sprintf(": %d cgroups, %s and others", m.Count, strings.Join(m.Some, ", "))
		default:
			line += fmt.Sprintf(": %d, %s", m.Count, strings.Join(m.Some, ", "))
		}
		b.WriteString(wrap(line, "  ", "    "))
	}
}
