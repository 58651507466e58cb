package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lmkd/lmkd/internal/cgroups"
	"github.com/lmkd/lmkd/internal/config"
	"github.com/lmkd/lmkd/internal/probe"
)

func TestCheckVerdict(t *testing.T) {
	lacking := func(s probe.State) []probe.Finding {
		return []probe.Finding{{Name: "swap", State: probe.Note}, {Name: "pressure triggers", State: s, Needed: true}, {Name: "refaults", State: probe.Missing}}
	}
	tests := []struct {
		state probe.State
		root  bool
		code  int
		want  string
	}{
		{probe.OK, false, exitDone, ""},
		{probe.Missing, false, exitFailed, "needed and not there: pressure triggers"},
		{probe.Missing, true, exitFailed, "needed and not there: pressure triggers"},
		{probe.Denied, true, exitFailed, "needed and not there: pressure triggers"},
		{probe.Denied, false, exitPermitted, "not permitted or not there: pressure triggers; run it as root to tell"},
	}
	for _, tt := range tests {
		err := verdict(lacking(tt.state), tt.root)
		if tt.code == exitDone {
			if err != nil {
				t.Errorf("%s: %v", tt.state, err)
			}
			continue
		}
		var e *exitError
		if !errors.As(err, &e) || e.code != tt.code || err.Error() != tt.want {
			t.Errorf("%s, root %v: %v", tt.state, tt.root, err)
		}
	}
}

func TestCheckText(t *testing.T) {
	cfg := config.Default(config.Linux)
	r := newCheckReport(cfg, []probe.Finding{
		{Name: "memory", State: probe.OK, Needed: true, Detail: "512MiB"},
		{Name: "pressure triggers", State: probe.Missing, Needed: true, Detail: "refuses triggers (invalid argument)", Since: "5.2",
			Lost: "stalls wake nobody", Cure: strings.Repeat("run it on the host ", 5)},
		{Name: "process_mrelease", State: probe.Denied, Detail: "operation not permitted", Lost: "speed", Cure: "none"},
	})
	r.Kernel, r.Explain = "6.12", []string{"I act."}
	var b bytes.Buffer
	if err := r.text(&b); err != nil {
		t.Fatal(err)
	}
	want := `config  built-in: valid, profile linux
kernel  6.12

  I act.

ok      memory                   512MiB
MISSING pressure triggers        refuses triggers (invalid argument)
                                 lost: stalls wake nobody
                                 cure: run it on the host run it on the host run it on the host run
                                       it on the host run it on the host (in Linux since 5.2)
denied  process_mrelease         operation not permitted
                                 lost: speed
                                 cure: none
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestCheckJSON(t *testing.T) {
	var b bytes.Buffer
	cmd := newCheckCommand()
	cmd.SetOut(&b)
	cmd.SetArgs([]string{"--json", "--explain", "--config", configFile(t, "profile: embedded\n")})
	_ = cmd.Execute() // fails where the machine lacks something
	var got checkReport
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatalf("%v in %s", err, b.String())
	}
	if got.Profile != "embedded" || len(got.Findings) == 0 || len(got.Settings) == 0 || len(got.Explain) == 0 {
		t.Errorf("got %+v", got)
	}
}

func configFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "lmkd.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCheckBadConfig(t *testing.T) {
	bad := configFile(t, "profile: linux\nkil:\n  timeout: 5s\n")
	for path, want := range map[string]string{
		bad:              bad + ":2:1: kil: is no key; the nearest one is kill",
		bad + ".missing": "read config " + bad + ".missing: no such file or directory",
	} {
		cmd := newCheckCommand()
		cmd.SetArgs([]string{"-c", path})
		cmd.SilenceErrors, cmd.SilenceUsage = true, true
		err := cmd.Execute()
		var e *exitError
		if !errors.As(err, &e) || e.code != exitUsage || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestCheckShowsActs(t *testing.T) {
	r := newCheckReport(config.Default(config.Linux), nil)
	r.Kernel = "6.12"
	r.Relief = []actMatches{
		{Act: "{at: low, do: freeze, cgroups: [/a]}", Cgroups: []string{"/a"}},
		{Act: "{at: low, do: freeze, cgroups: [/b/**]}"},
		{Act: "{at: low, do: freeze, cgroups: [/*]}", Cgroups: strings.Split("/1 /2 /3 /4 /5 /6 /7 /8", " ")},
	}
	var b bytes.Buffer
	if err := r.text(&b); err != nil {
		t.Fatal(err)
	}
	want := `
softer acts and the cgroups that they would reach
  {at: low, do: freeze, cgroups: [/a]}: /a
  {at: low, do: freeze, cgroups: [/b/**]}: WARNING: matches no cgroup now
  {at: low, do: freeze, cgroups: [/*]}: /1, /2, /3, /4, /5, /6 and 2 more
`
	if !strings.HasSuffix(b.String(), want) {
		t.Errorf("got\n%s\nwant at its end\n%s", b.String(), want)
	}
}

// Which cgroups an item of the domains names is told, or why none is.
func TestDomainLines(t *testing.T) {
	var b strings.Builder
	many := domainMatches{Cgroups: []string{"/a/*", "/b"}, Name: "both"}
	many.add([]string{"/a/1", "/a/2", "/a/3", "/a/4", "/a/5", "/a/6", "/a/7"})
	many.add([]string{"/b"})
	many.explain(nil)
	none := domainMatches{Cgroups: []string{"/none"}}
	none.explain(nil)
	v1 := domainMatches{Cgroups: []string{"/v1"}}
	v1.explain(cgroups.ErrNone)
	writeDomains(&b, []domainMatches{many, none, v1})
	for _, want := range []string{
		"both: /a/* /b: 8 cgroups, /a/1, /a/2, /a/3, /a/4, /a/5, /a/6 and others\n",
		"/none: WARNING: no cgroup matches now; those that come later will\n",
		"/v1: WARNING: memory is no controller of cgroup v2 here",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

// Under android nobody but registered processes dies, once there is one: said
// without being asked.
func TestCheckTellsOfClients(t *testing.T) {
	cfg := config.Default(config.Android)
	var b bytes.Buffer
	if err := newCheckReport(cfg, nil).text(&b); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), "note    only processes that a client registered may die") || strings.Contains(b.String(), "no client is heard") {
		t.Errorf("%s", b.String())
	}
	cfg.Control.Android = ""
	if got := newCheckReport(cfg, nil).Warning; !strings.HasSuffix(got, "no client is heard (control.android_socket: off)") {
		t.Errorf("%s", got)
	}
	if got := newCheckReport(config.Default(config.Linux), nil).Warning; got != "" {
		t.Errorf("under linux: %s", got)
	}
}
