package config

import (
	"regexp"
	"testing"

	"github.com/lmkd/lmkd/pkg/victim"
)

func TestRules(t *testing.T) {
	c, err := Parse("f", []byte(`victim:
  rules:
    - {comm: postgres, user: [0, root], effect: last}
    - {cmdline: "java .*(a|b)", adj: +200, kill: tree, below: 30%}
    - {unit: "app-*.scope", in_container: false, session_leader: true, effect: first}
    - {comm: "a|b", runtime: docker, effect: usual}
`))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(victim.BuiltIn()); len(c.Rules) != 4 || len(c.Machine.Victim.Rules) != 4+n {
		t.Fatalf("%d rules, %d with the built-in", len(c.Rules), len(c.Machine.Victim.Rules))
	}
	r := c.Machine.Victim.Rules
	if r[0].Match.Comm != victim.Literal("postgres") || len(r[0].Match.Users) != 2 || r[0].Match.Users[1] != 0 || r[0].Effect != victim.Last {
		t.Errorf("%+v", r[0])
	}
	e, ok := r[1].Match.Cmdline.(*regexp.Regexp)
	if !ok || !e.MatchString("java x\na") || e.MatchString("java xab ") || r[1].Adjust != 200 || r[1].Death != victim.AsTree || r[1].Below != 30 {
		t.Errorf("%+v", r[1])
	}
	if !r[2].Match.Outside || r[2].Match.Inside || !r[2].Match.Leader || r[2].Match.Unit != victim.Glob("app-*.scope") || r[2].Effect != victim.First {
		t.Errorf("%+v", r[2])
	}
	if o, ok := r[3].Match.Comm.(victim.OneOf); !ok || len(o) != 2 || r[3].Effect != victim.Usual || r[3].Name != `comm: a|b, runtime: docker, effect: usual` {
		t.Errorf("%+v", r[3])
	}
	if c, err = Parse("f", []byte("victim: {protect: false}\n")); err != nil || len(c.Machine.Victim.Rules) != 0 {
		t.Errorf("%v, %d rules", err, len(c.Machine.Victim.Rules))
	}
	if c, err = Parse("f", []byte("profile: android\nvictim: {protect: true}\n")); err != nil || len(c.Machine.Victim.Rules) == 0 {
		t.Errorf("%v, %d rules", err, len(c.Machine.Victim.Rules))
	}
}

func TestRuleErrors(t *testing.T) {
	for rule, want := range map[string]string{
		"{comm: a}":                               "f:3:7: victim.rules: the rule does nothing: it has neither effect nor adj nor kill nor term",
		"{effect: last}":                          "f:3:7: victim.rules: the rule is about everybody: it has no condition, such as comm or unit",
		"{below: 5%, adj: 1}":                     "f:3:7: victim.rules: the rule is about everybody: it has no condition, such as comm or unit",
		"{com: a, effect: last}":                  "f:3:8: victim.rules: com is no word of a rule; there are comm, exe, cmdline, parent, environ, cgroup, unit, slice, container, runtime, user, in_container, session_leader, effect, adj, kill, term, below",
		"{comm: (a, effect: l}":                   "f:3:14: victim.rules: comm: \"(a\" is no regular expression (missing closing ): `(a`): write a regular expression (RE2) for the whole text, such as postgres or python3?",
		"{comm: 'a)|(b', adj: 1}":                 "f:3:14: victim.rules: comm: \"a)|(b\" is no regular expression (unexpected ): `a)|(b`): write a regular expression (RE2) for the whole text, such as postgres or python3?",
		"{comm: a, effect: gone}":                 `f:3:25: victim.rules: effect: "gone" is no effect: write never, last, first or usual`,
		"{comm: a, adj: 3000}":                    `f:3:22: victim.rules: adj: "3000" is no number from -2000 to 2000: write a number to add, such as -300 or +200`,
		"{comm: a, below: 0%, kill: tree}":        `f:3:24: victim.rules: below: "0%" is out of range: 1% to 100%`,
		"{user: nobody-of-this-name, kill: tree}": `f:3:14: victim.rules: user: "nobody-of-this-name" is no user of this machine: write a user's name or number, or a list of them`,
		"{comm: a, comm: b, kill: tree}":          "f:3:17: victim.rules: comm stands twice in the rule",
		"{session_leader: false, kill: tree}":     "f:3:24: victim.rules: session_leader: can only be true: leave it out",
		"x":                                       "f:3:7: victim.rules: is no rule: write conditions and an effect such as {comm: postgres, effect: last}",
	} {
		_, err := Parse("f", []byte("victim:\n  rules:\n    - "+rule+"\n"))
		if err == nil || err.Error() != want {
			t.Errorf("%s\n got %v\nwant %s", rule, err, want)
		}
	}
	if _, err := Parse("f", []byte("victim: {rules: {comm: a}}\n")); err == nil || err.Error() != "f:1:17: victim.rules: is no list: write one rule behind each -, or [] for none" {
		t.Error(err)
	}
}
