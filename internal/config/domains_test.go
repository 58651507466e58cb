package config

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/lmkd/lmkd/pkg/pressure"
)

const twoDomains = `
pressure:
  stall_max: 55%
victim:
  never: [sshd]
  rules: [{comm: postgres, effect: last}]
kill:
  timeout: 3s
domains:
  - cgroup: /user.slice/user-*.slice
  - cgroup: [/kubepods.slice/**/*.scope, /solo]
    name: pods
    triggers: {window: 1s, complete_stall: 900ms}
    pressure:
      stall_max: 50%
    victim:
      rules: [{comm: batch, effect: first}]
    kill: {timeout: 1s}
`

func TestDomains(t *testing.T) {
	c, err := Parse("f", []byte(twoDomains))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Domains) != 2 {
		t.Fatalf("%d domains", len(c.Domains))
	}
	users, pods := &c.Domains[0], &c.Domains[1]
	if users.Called("/user.slice/user-1.slice") != "/user.slice/user-1.slice" || pods.Called("/solo") != "pods:/solo" {
		t.Errorf("called %q, %q", users.Called("/user.slice/user-1.slice"), pods.Called("/solo"))
	}
	if !reflect.DeepEqual(users.Policy.Pressure, pressure.Cgroup()) {
		t.Errorf("pressure of an item that sets none: %+v", users.Policy.Pressure)
	}
	if users.Policy.KillTimeout != 3*time.Second || len(users.Policy.Victim.Never) != 1 {
		t.Error("kills and victims are not the machine's")
	}
	if pods.Policy.Pressure.StallMax != 50 || pods.Policy.KillTimeout != time.Second || pods.Policy.Window != time.Second || pods.Policy.Complete != 900*time.Millisecond {
		t.Errorf("what the item sets does not hold: %+v", pods.Policy)
	}
	if c.Machine.Pressure.StallMax != 55 || c.Machine.KillTimeout != 3*time.Second || c.Machine.Pressure.Cgroup {
		t.Error("an item has changed the machine")
	}
	u, p := users.Policy.Victim.Rules, pods.Policy.Victim.Rules
	if len(p) != len(u)+1 || p[0].Name != "comm: batch, effect: first" || p[1].Name != u[0].Name || u[0].Name != "comm: postgres, effect: last" || len(u) != len(c.Machine.Victim.Rules) {
		t.Errorf("%d rules, %d in the item with its own, %d of the machine", len(u), len(p), len(c.Machine.Victim.Rules))
	}
	text := strings.Join(c.Explain(), "\n")
	for _, part := range []string{
		"I judge each cgroup that /user.slice/user-*.slice names for itself",
		"less than 10% (at most 512MiB) of that limit is available and all tasks in it stall at least 50% of the time",
	} {
		if !strings.Contains(text, part) {
			t.Errorf("the explanation lacks %q:\n%s", part, text)
		}
	}
}

// What is wrong with an item is told with its line and its key.
func TestWrongDomains(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"no list":    {"domains: /a\n", "f:1:10: domains: is no list"},
		"no mapping": {"domains:\n  - /a\n", "f:2:5: domains[0]: is no domain"},
		"no cgroup":  {"domains:\n  - name: a\n", "f:2:5: domains[0].cgroup: is not set"},
		"relative":   {"domains:\n  - cgroup: a\n", `f:2:13: domains[0].cgroup: "a" does not begin with /`},
		"root":       {"domains:\n  - cgroup: /a\n  - cgroup: [/b, /]\n", `f:3:18: domains[1].cgroup: "/" is the root`},
		"empty":      {"domains:\n  - cgroup: []\n", "domains[0].cgroup: is empty"},
		"name":       {"domains:\n  - cgroup: /a\n    name: machine\n", `f:3:11: domains[0].name: "machine" is no name`},
		"range":      {"domains:\n  - cgroup: /a\n    pressure: {stall_max: 150%}\n", `f:3:27: domains[0].pressure.stall_max: "150%" is out of range`},
		"unknown":    {"domains:\n  - cgroup: /a\n    pressure: {stal_max: 1%}\n", "domains[0].pressure.stal_max: is no key; the nearest one is pressure.stall_max"},
		"watchdog":   {"domains:\n  - cgroup: /a\n    kill: {watchdog: 1s}\n", "domains[0].kill.watchdog: is no key of a domain: there is one watchdog"},
		"section":    {"domains:\n  - cgroup: /a\n    metrics: {listen: off}\n", "domains[0].metrics: is no key of a domain"},
		"times":      {"domains:\n  - cgroup: /a\n    triggers: {complete_stall: 3s}\n", "domains[0].triggers.complete_stall: triggers.complete_stall is 3s, which is more than triggers.window of 2s"},
		"two":        {"domains:\n  - cgroup: a\n  - cgroup: b\n", "\nf:3:13: domains[1].cgroup"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("f", []byte(tc.text))
			if err == nil || !strings.Contains("\n"+err.Error(), tc.want) {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
}
