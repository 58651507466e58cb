package main

import (
	"fmt"
	"strings"

	"github.com/lmkd/lmkd/internal/config"
	"github.com/lmkd/lmkd/internal/memory"
	"github.com/lmkd/lmkd/internal/process"
	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/pressure"
	"github.com/lmkd/lmkd/pkg/victim"
)

// ruleMatches is whom a rule is about now.
type ruleMatches struct {
	Rule    string   `json:"rule"`
	Effect  string   `json:"effect"`
	BuiltIn bool     `json:"built_in,omitempty"`
	Holds   int      `json:"holds"`             // processes that it decides about
	Behind  int      `json:"behind,omitempty"`  // those that a rule before it takes
	Some    []string `json:"matches,omitempty"` // the first of those that it decides about
}

// shownMatches is how many processes a line names.
const shownMatches = 6

// matchRules looks for every rule who it is about.
func matchRules(cfg *config.Config) ([]ruleMatches, error) {
	rules := cfg.Machine.Victim.Rules
	if len(rules) == 0 {
		return nil, nil
	}
	ram, err := memoryTotal()
	if err != nil {
		return nil, err
	}
	table, err := process.Open("/", process.Options{})
	if err != nil {
		return nil, err
	}
	defer table.Close()
	found := make([]ruleMatches, len(rules))
	for i := range rules {
		found[i] = ruleMatches{Rule: rules[i].Name, Effect: does(&rules[i]), BuiltIn: i >= len(cfg.Rules)}
	}
	err = table.Matches(process.Ask{Policy: &cfg.Machine.Victim, RAM: ram}, func(rule int, p *victim.Process, holds bool) {
		found[rule].add(p, holds)
	})
	return found, err
}

func memoryTotal() (uint64, error) {
	r, err := memory.Open("/")
	if err != nil {
		return 0, err
	}
	defer r.Close()
	var s pressure.Sample
	err = r.Sample(sys.Now(), &s)
	return s.Memory.Total, err
}

// does says what a rule does in a word or two.
func does(r *victim.Rule) string {
	text := r.Effect.String()
	if r.Adjust != 0 {
		text += fmt.Sprintf(", adj %+d", r.Adjust)
	}
	if r.Death != victim.AsProcess {
		text += ", as a " + r.Death.String()
	}
	return text
}

func (m *ruleMatches) add(p *victim.Process, holds bool) {
	if !holds {
		m.Behind++
		return
	}
	m.Holds++
	if len(m.Some) < shownMatches {
		m.Some = append(m.Some, fmt.Sprintf("%s (%d)", victim.Quote([]byte(p.Name())), p.PID))
	}
}

// writeRules writes a line for each rule; of those that lmkd brings, only for
// those that are about somebody.
func writeRules(b *strings.Builder, rules []ruleMatches) {
	if len(rules) > 0 {
		b.WriteString("\nrules, the first that matches a process holds\n")
	}
	for i := range rules {
		m := &rules[i]
		if m.BuiltIn && m.Holds == 0 {
			continue
		}
		b.WriteString(wrap(m.title()+": "+m.text(), "  ", "    "))
	}
}

func (m *ruleMatches) text() string {
	switch {
	case m.Holds+m.Behind == 0:
		return "WARNING: matches nobody now"
	case m.Holds == 0:
		return fmt.Sprintf("WARNING: matches %d processes, and rules before it hold for all of them", m.Behind)
	}
	text := strings.Join(m.Some, ", ")
	if more := m.Holds - len(m.Some); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	if m.Behind > 0 {
		text += fmt.Sprintf("; rules before it hold for %d", m.Behind)
	}
	return text
}

// title is the rule as it is written, or what a built-in one is about and does.
func (m *ruleMatches) title() string {
	if m.BuiltIn {
		return m.Rule + " (" + m.Effect + ")"
	}
	return "{" + m.Rule + "}"
}
