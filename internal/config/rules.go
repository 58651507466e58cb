package config

import (
	"errors"
	"fmt"
	"os/user"
	"regexp"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/lmkd/lmkd/pkg/victim"
)

// ruleKey is one word of a rule in the file.
type ruleKey struct {
	name string
	read func(r *victim.Rule, n *yaml.Node) error
}

const (
	likeExpression = "a regular expression (RE2) for the whole text, such as postgres or python3?"
	likeGlob       = "a pattern such as app-*.scope, where * stands for all but / and ** for everything"
)

// ruleKeys are the words of a rule: conditions first, then what it does.
var ruleKeys = []ruleKey{
	pattern("comm", likeExpression, expression, func(m *victim.Match) *victim.Pattern { return &m.Comm }),
	pattern("exe", likeExpression, expression, func(m *victim.Match) *victim.Pattern { return &m.Exe }),
	pattern("cmdline", likeExpression, expression, func(m *victim.Match) *victim.Pattern { return &m.Cmdline }),
	pattern("parent", likeExpression, expression, func(m *victim.Match) *victim.Pattern { return &m.Parent }),
	pattern("environ", likeExpression, expression, func(m *victim.Match) *victim.Pattern { return &m.Environ }),
	pattern("cgroup", likeGlob, glob, func(m *victim.Match) *victim.Pattern { return &m.Cgroup }),
	pattern("unit", likeGlob, glob, func(m *victim.Match) *victim.Pattern { return &m.Unit }),
	pattern("slice", likeGlob, glob, func(m *victim.Match) *victim.Pattern { return &m.Slice }),
	pattern("container", likeGlob, glob, func(m *victim.Match) *victim.Pattern { return &m.ID }),
	pattern("runtime", likeGlob, glob, func(m *victim.Match) *victim.Pattern { return &m.Runtime }),
	{"user", readUsers},
	{"in_container", readInside},
	{"session_leader", readLeader},
	value("effect", codec[victim.Effect]{"never, last, first or usual", parseEffect, victim.Effect.String},
		func(r *victim.Rule) *victim.Effect { return &r.Effect }),
	value("adj", codec[int16]{"a number to add, such as -300 or +200", parseAdjust, formatBand},
		func(r *victim.Rule) *int16 { return &r.Adjust }),
	value("kill", codec[victim.Death]{"process, tree, group, session or cgroup", parseDeath, victim.Death.String},
		func(r *victim.Rule) *victim.Death { return &r.Death }),
	value("term", codec[time.Duration]{"a time from 10ms to 1m", parsePatience, FormatTime},
		func(r *victim.Rule) *time.Duration { return &r.Term }),
	value("below", codec[uint8]{"a percentage of RAM such as 50%", parseShare, func(v uint8) string { return formatPercent(int(v)) }},
		func(r *victim.Rule) *uint8 { return &r.Below }),
}

// doers are the words without which a rule does nothing.
var doers = []string{"effect", "adj", "kill", "term"}

func value[T any](name string, c codec[T], field func(*victim.Rule) *T) ruleKey {
	return ruleKey{name, func(r *victim.Rule, n *yaml.Node) error {
		v, err := scalar(n, c)
		if err == nil {
			*field(r) = v
		}
		return err
	}}
}

func pattern(name, like string, read func(string) (victim.Pattern, error), field func(*victim.Match) *victim.Pattern) ruleKey {
	c := codec[victim.Pattern]{like: like, read: read}
	return ruleKey{name, func(r *victim.Rule, n *yaml.Node) error {
		v, err := scalar(n, c)
		if err == nil {
			*field(&r.Match) = v
		}
		return err
	}}
}

// rules is the setting that is a list of rules.
func rules(path string, field func(*Config) *[]victim.Rule) key {
	return key{
		path: path,
		read: func(c *Config, n *yaml.Node) error {
			if n.Kind != yaml.SequenceNode {
				return errors.New("is no list: write one rule behind each -, or [] for none")
			}
			var out []victim.Rule
			for _, item := range n.Content {
				r, err := readRule(item)
				if err != nil {
					return err
				}
				out = append(out, r)
			}
			*field(c) = out
			return nil
		},
		show: func(c *Config) string {
			var names []string
			for i := range *field(c) {
				names = append(names, "{"+(*field(c))[i].Name+"}")
			}
			return "[" + strings.Join(names, ", ") + "]"
		},
		fields: func(c *Config) []any { return []any{field(c), &c.Machine.Victim.Rules} },
	}
}

// readRule reads "{comm: postgres, effect: last}".
func readRule(n *yaml.Node) (r victim.Rule, err error) {
	if n.Kind != yaml.MappingNode || len(n.Content) == 0 {
		return r, &itemError{at(n), errors.New("is no rule: write conditions and an effect such as {comm: postgres, effect: last}")}
	}
	seen := map[string]bool{}
	var words []string
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, v := n.Content[i], n.Content[i+1]
		k := findRuleKey(name.Value)
		switch {
		case k == nil:
			return r, &itemError{at(name), fmt.Errorf("%s is no word of a rule; there are %s", quoteBare(name.Value), ruleWords())}
		case seen[name.Value]:
			return r, &itemError{at(name), fmt.Errorf("%s stands twice in the rule", name.Value)}
		case v.Kind == yaml.AliasNode:
			return r, &itemError{at(v), fmt.Errorf("%s is an alias (*%s): write the value itself", name.Value, quoteBare(v.Value))}
		}
		seen[name.Value] = true
		if err := k.read(&r, v); err != nil {
			return r, &itemError{at(v), fmt.Errorf("%s: %w", name.Value, err)}
		}
		words = append(words, name.Value+": "+flat(v))
	}
	r.Name = strings.Join(words, ", ")
	r.SaysEffect, r.SaysDeath = seen["effect"], seen["kill"]
	return r, checkRule(n, seen)
}

// checkRule refuses rules that match everybody or do nothing: they are slips.
func checkRule(n *yaml.Node, seen map[string]bool) error {
	acts := 0
	for _, name := range doers {
		if seen[name] {
			acts++
		}
	}
	conditions := len(seen) - acts
	if seen["below"] {
		conditions--
	}
	switch {
	case acts == 0:
		return &itemError{at(n), errors.New("the rule does nothing: it has neither effect nor adj nor kill nor term")}
	case conditions == 0:
		return &itemError{at(n), errors.New("the rule is about everybody: it has no condition, such as comm or unit")}
	}
	return nil
}

// flat shows a value on one line.
func flat(n *yaml.Node) string {
	if n.Kind != yaml.SequenceNode {
		return quoteBare(n.Value)
	}
	var items []string
	for _, item := range n.Content {
		items = append(items, quoteBare(item.Value))
	}
	return "[" + strings.Join(items, ", ") + "]"
}

func findRuleKey(name string) *ruleKey {
	for i := range ruleKeys {
		if ruleKeys[i].name == name {
			return &ruleKeys[i]
		}
	}
	return nil
}

func ruleWords() string {
	var names []string
	for i := range ruleKeys {
		names = append(names, ruleKeys[i].name)
	}
	return strings.Join(names, ", ")
}

// readUsers reads a user or a list of them, by name or number.
func readUsers(r *victim.Rule, n *yaml.Node) error {
	c := codec[uint32]{like: "a user's name or number, or a list of them", read: parseUser}
	items := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		items = n.Content
	}
	for _, item := range items {
		uid, err := scalar(item, c)
		if err != nil {
			return err
		}
		r.Match.Users = append(r.Match.Users, uid)
	}
	if len(items) == 0 {
		return fmt.Errorf("is empty: write %s", c.like)
	}
	return nil
}

func parseUser(s string) (uint32, error) {
	if n, err := strconv.ParseUint(s, 10, 32); err == nil {
		return uint32(n), nil
	}
	u, err := user.Lookup(s)
	if err != nil {
		return 0, errors.New("is no user of this machine")
	}
	n, err := strconv.ParseUint(u.Uid, 10, 32)
	return uint32(n), err
}

func readInside(r *victim.Rule, n *yaml.Node) error {
	inside, err := scalar(n, switches)
	r.Match.Inside, r.Match.Outside = inside, !inside
	return err
}

func readLeader(r *victim.Rule, n *yaml.Node) error {
	leader, err := scalar(n, switches)
	if err == nil && !leader {
		return errors.New("can only be true: leave it out")
	}
	r.Match.Leader = leader
	return err
}

func parseEffect(s string) (victim.Effect, error) {
	for _, e := range victim.Effects() {
		if s == e.String() {
			return e, nil
		}
	}
	return 0, errors.New("is no effect")
}

func parseDeath(s string) (victim.Death, error) {
	for _, d := range victim.Deaths() {
		if s == d.String() {
			return d, nil
		}
	}
	return 0, errors.New("is nothing that can be killed")
}

func parsePatience(s string) (time.Duration, error) {
	d, err := ParseTime(s)
	if err == nil && (d < patience.low || d > patience.high) {
		return 0, errors.New("is out of range: 10ms to 1m")
	}
	return d, err
}

func parseAdjust(s string) (int16, error) {
	n, err := strconv.ParseInt(s, 10, 16)
	if err != nil || n < -2000 || n > 2000 {
		return 0, errors.New("is no number from -2000 to 2000")
	}
	return int16(n), nil
}

func parseShare(s string) (uint8, error) {
	n, err := ParsePercent(s)
	if err == nil && (n < 1 || n > 100) {
		return 0, rangeError("is out of range: 1% to 100%")
	}
	return uint8(n), err
}

// expression reads a regular expression, which must match the whole text. What
// is only words with | between them needs no automaton.
func expression(s string) (victim.Pattern, error) {
	if s == "" {
		return nil, errors.New("is empty")
	}
	if words := strings.Split(s, "|"); plain(words) {
		if len(words) == 1 {
			return victim.Literal(s), nil
		}
		return victim.OneOf(words), nil
	}
	// Compiled alone first: "a)|(b" must not close the group around it.
	if _, err := regexp.Compile(s); err != nil {
		return nil, errors.New("is no regular expression (" + strings.TrimPrefix(err.Error(), "error parsing regexp: ") + ")")
	}
	return regexp.MustCompile(`(?s)\A(?:` + s + `)\z`), nil
}

func plain(words []string) bool {
	for _, w := range words {
		if w == "" || regexp.QuoteMeta(w) != w {
			return false
		}
	}
	return true
}

func glob(s string) (victim.Pattern, error) {
	switch {
	case s == "":
		return nil, errors.New("is empty")
	case strings.ContainsAny(s, "*?"):
		return victim.Glob(s), nil
	}
	return victim.Literal(s), nil
}
