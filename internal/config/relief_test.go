package config

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/lmkd/lmkd/internal/engine"
	"github.com/lmkd/lmkd/pkg/pressure"
)

func TestActs(t *testing.T) {
	c, err := Parse("f", []byte(`relief:
  acts:
    - {at: low, do: notify, pause: 1m}
    - {at: medium, do: reclaim, cgroups: /system.slice/backup.service}
    - {at: medium, do: reclaim, cgroups: [/user.slice/**, /a], amount: 1GiB, for: 500ms, pause: 1s}
    - {at: critical, do: freeze, cgroups: ["/x.slice/*"], for: 3s}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := []engine.Relief{
		{At: pressure.LevelLow, Act: engine.Notify, Pause: time.Minute},
		{At: pressure.LevelMedium, Act: engine.Reclaim, Cgroups: []string{"/system.slice/backup.service"}, Amount: 64 << 20, For: 2 * time.Second, Pause: 30 * time.Second},
		{At: pressure.LevelMedium, Act: engine.Reclaim, Cgroups: []string{"/user.slice/**", "/a"}, Amount: 1 << 30, For: 500 * time.Millisecond, Pause: time.Second},
		{At: pressure.LevelCritical, Act: engine.Freeze, Cgroups: []string{"/x.slice/*"}, For: 3 * time.Second, Pause: 30 * time.Second},
	}
	if !reflect.DeepEqual(c.Machine.Relief, want) {
		t.Errorf("%+v", c.Machine.Relief)
	}
	shown := find("relief.acts").show(c)
	if again, err := Parse("f", []byte("relief:\n  acts: "+shown+"\n")); err != nil || !reflect.DeepEqual(again.Machine.Relief, want) {
		t.Errorf("%s reads as %v, %v", shown, again, err)
	}
	text := strings.Join(c.Explain(), "\n")
	for _, part := range []string{
		"When the level comes to low I say so in the log; again 1m after that at the soonest.",
		"reclaim up to 1GiB from /user.slice/**, /a, for 500ms at most",
		"When the level comes to critical I freeze /x.slice/*, for 3s at most",
		"A kill waits for these, 2s at most, unless memory is exhausted",
	} {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in\n%s", part, text)
		}
	}
}

// Nothing softer than a kill is ever done unless somebody asks for it.
func TestNoActsByDefault(t *testing.T) {
	for _, p := range Profiles() {
		if c := Default(p); len(c.Machine.Relief) != 0 || strings.Contains(strings.Join(c.Explain(), "\n"), "When the level comes") {
			t.Errorf("%v has %d acts", p, len(c.Machine.Relief))
		}
	}
}

func TestActErrors(t *testing.T) {
	for act, want := range map[string]string{
		"x":                                      "f:3:7: relief.acts: is no act: write a level and what is done at it, such as {at: medium, do: notify}",
		"{at: low}":                              "f:3:7: relief.acts: the act has no do",
		"{do: notify}":                           "f:3:7: relief.acts: the act has no at",
		"{at: none, do: notify}":                 `f:3:12: relief.acts: at: "none" is no level that calls for anything: write low, medium or critical`,
		"{at: low, do: kill}":                    `f:3:21: relief.acts: do: "kill" is no act: write notify, reclaim or freeze`,
		"{at: low, do: notify, for: 1s}":         "f:3:29: relief.acts: for means nothing to notify",
		"{at: low, do: reclaim}":                 "f:3:7: relief.acts: the act has no cgroups",
		"{at: low, do: freeze, cgroups: []}":     "f:3:38: relief.acts: cgroups: is empty: write a cgroup's path such as /system.slice/backup.service, with * for all but / and ** for everything, or a list of them",
		"{at: low, do: freeze, cgroups: /}":      `f:3:38: relief.acts: cgroups: "/" is the root, which is the whole machine: write a cgroup's path such as /system.slice/backup.service, with * for all but / and ** for everything, or a list of them`,
		"{at: low, do: freeze, cgroups: [/a,b]}": `f:3:42: relief.acts: cgroups: "b" does not begin with /, the root of all cgroups: write a cgroup's path such as /system.slice/backup.service, with * for all but / and ** for everything, or a list of them`,
		"{at: low, do: freeze, cgroups: /a, amount: 2MiB}": "f:3:42: relief.acts: amount means nothing to freeze",
		"{at: low, do: reclaim, cgroups: /a, amount: 1}":   `f:3:51: relief.acts: amount: "1" needs a unit: write a size such as 64MiB`,
		"{at: low, do: reclaim, cgroups: /a, for: 2m}":     `f:3:48: relief.acts: for: "2m" is out of range: 10ms to 1m`,
		"{at: low, do: notify, pause: 1ms}":                `f:3:36: relief.acts: pause: "1ms" is out of range: 1s to 1h`,
		"{at: low, at: low, do: notify}":                   "f:3:17: relief.acts: at stands twice in the act",
		"{on: low, do: notify}":                            "f:3:8: relief.acts: on is no word of an act; there are at, do, cgroups, amount, for, pause",
	} {
		_, err := Parse("f", []byte("relief:\n  acts:\n    - "+act+"\n"))
		if err == nil || err.Error() != want {
			t.Errorf("%s\n got %v\nwant %s", act, err, want)
		}
	}
	many := "relief:\n  acts:\n" + strings.Repeat("    - {at: low, do: notify}\n", 9)
	if _, err := Parse("f", []byte(many)); err == nil || err.Error() != "f:11:7: relief.acts: is one more than the 8 acts that there may be" {
		t.Error(err)
	}
	if _, err := Parse("f", []byte("relief:\n  acts: all\n")); err == nil {
		t.Error("a word is no list")
	}
}

// An item of the domains has acts of its own, and none of the machine's.
func TestActsOfADomain(t *testing.T) {
	c, err := Parse("f", []byte(`relief:
  acts: [{at: low, do: notify}]
domains:
  - cgroup: /a
  - cgroup: /b
    relief:
      acts: [{at: medium, do: freeze, cgroups: /batch}]
`))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(c.Domains[0].Policy.Relief); n != 0 {
		t.Errorf("%d acts without being asked for", n)
	}
	if r := c.Domains[1].Policy.Relief; len(r) != 1 || r[0].Act != engine.Freeze || r[0].Cgroups[0] != "/batch" {
		t.Errorf("%+v", r)
	}
	if text := strings.Join(c.Explain(), "\n"); !strings.Contains(text, "When its level comes to medium I freeze /batch") {
		t.Error(text)
	}
	_, err = Parse("f", []byte("domains:\n  - cgroup: /a\n    relief:\n      acts: [{at: low}]\n"))
	if err == nil || !strings.Contains(err.Error(), "f:4:14: domains[0].relief.acts: the act has no do") {
		t.Error(err)
	}
}
