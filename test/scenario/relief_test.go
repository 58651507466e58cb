//go:build vm

package scenario

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/lmkd/lmkd/test/vm/guest"
)

// squeeze brings memory to a medium level that kills nobody: what a filler leaves
// is less than twice the floor, and a file is read through it.
func squeeze(t *testing.T) (load []innocent) {
	t.Helper()
	filler := fill(t, 40)
	return []innocent{filler, {hog(t, "reader", "stream")}}
}

// inCgroup starts an innocent of so many MB in a cgroup of its own.
func inCgroup(t *testing.T, name string, mb int) (p *guest.Process, dir string) {
	t.Helper()
	p = hog(t, name, "innocent", "-mb", strconv.Itoa(mb), "-every", "1s")
	if err := p.WaitReady(patience); err != nil {
		t.Fatal(err)
	}
	dir, err := guest.Cgroup(name, p.PID, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p, dir
}

func cgroupFile(t *testing.T, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

func frozen(t *testing.T, dir string) bool {
	return strings.Contains(cgroupFile(t, dir, "cgroup.events"), "frozen 1")
}

// A level of medium has a hoarder's memory reclaimed: it shrinks, nobody dies,
// and the record has the act and what it gave.
func TestReclaimSparesAKill(t *testing.T) {
	spared := innocents(t)
	// It is charged where its memory is taken: it moves before it eats.
	dir, err := guest.Cgroup("hoard", 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	hoarder := hog(t, "hoarder", "leak", "-rate", "10", "-mb", "60")
	if _, err := guest.Cgroup("hoard", hoarder.PID, nil); err != nil {
		t.Fatal(err)
	}
	charged := func() int { n, _ := strconv.Atoi(cgroupFile(t, dir, "memory.current")); return n }
	if !guest.Until(patience, func() bool { return charged() > 50<<20 }) {
		t.Fatalf("the hoarder holds %d bytes", charged())
	}
	before := mark(t)
	d := startDaemon(t, "--config", config(t, `relief:
  acts:
    - {at: low, do: notify}
    - {at: medium, do: reclaim, cgroups: [/hoard], amount: 24MiB, for: 30s, pause: 1h}
`))
	spared = append(append(spared, innocent{hoarder}), squeeze(t)...)
	if !guest.Until(patience, func() bool { return said(d.Process, "Relief over") }) {
		t.Fatalf("nothing was reclaimed: %q", d.Lines())
	}
	for _, line := range d.Lines() {
		if strings.Contains(line, "Relief") || strings.Contains(line, "Pressure") {
			t.Log(line)
		}
	}
	if index(d.Lines(), "Relief over", "back from 1 cgroups") < 0 || index(d.Lines(), "Pressure is low") < 0 && index(d.Lines(), "Pressure is medium") < 0 {
		t.Errorf("lmkd said %q", d.Lines())
	}
	for _, p := range spared {
		if !p.Alive() {
			t.Errorf("%s died: %s", p.Name, p.Fate())
		}
	}
	if kills := mark(t).OOMKills - before.OOMKills; kills != 0 {
		t.Errorf("the kernel's OOM killer killed %d", kills)
	}
	d.assertNoKill(t)
	back, begun := uint64(0), 0
	for _, s := range d.steps(t) {
		if s.Kind == "relieved" && s.Act == 1 {
			back += s.Bytes
		}
		for _, a := range s.Out.Actions {
			if a.Do == "relieve" && a.Acts&2 != 0 {
				begun++
			}
		}
	}
	t.Logf("%d MB back in %d acts, %d MB charged now", back>>20, begun, charged()>>20)
	if begun != 1 || back < 8<<20 {
		t.Errorf("the record has %d acts that gave %d bytes", begun, back)
	}
}

// What is frozen runs again when its time is over, and after a daemon that was
// killed when the next one starts. What holds init is never frozen.
func TestFreezeEnds(t *testing.T) {
	p, dir := inCgroup(t, "sleeper", 5)
	for _, tc := range []struct{ name, length string }{{"its time is over", "3s"}, {"the daemon is killed", "1m"}} {
		t.Run(tc.name, func(t *testing.T) {
			cfg := config(t, `relief:
  acts:
    - {at: low, do: freeze, cgroups: [/sleeper], for: `+tc.length+`, pause: 1h}
`)
			d := startDaemon(t, "--config", cfg)
			load := squeeze(t)
			if !guest.Until(patience, func() bool { return frozen(t, dir) }) {
				t.Fatalf("nothing was frozen: %q", d.Lines())
			}
			if tc.length == "1m" {
				d.shot = true
				d.Kill()
				if !frozen(t, dir) {
					t.Error("it was thawed before anybody could")
				}
				for _, l := range load {
					l.Kill()
				}
				next := start(t, "run", "--config", cfg)
				if index(next.Lines(), "relief: thawed", "/sleeper") < 0 {
					t.Errorf("the next daemon said %q", next.Lines())
				}
			} else if !guest.Until(patience, func() bool { return said(d.Process, "1 cgroups were frozen and run again") }) {
				t.Errorf("lmkd said %q", d.Lines())
			}
			beats := len(p.Lines())
			if frozen(t, dir) || !guest.Until(patience, func() bool { return len(p.Lines()) > beats }) {
				t.Errorf("it does not run again: frozen %v", frozen(t, dir))
			}
		})
	}
	if !p.Alive() {
		t.Errorf("the sleeper died: %s", p.Fate())
	}
}

// The default configuration does nothing softer than a kill.
func TestNothingSofterByDefault(t *testing.T) {
	spared := innocents(t)
	d := startDaemon(t)
	squeeze(t)
	guest.Until(letBeFor, func() bool { return someDied(spared) })
	d.assertNoKill(t)
	for _, s := range d.steps(t) {
		for _, a := range s.Out.Actions {
			if a.Do == "relieve" {
				t.Errorf("step %d relieves", s.Seq)
			}
		}
	}
}

// A cgroup that is a domain freezes what its own acts name below it, when its own
// level says so; the machine has memory to spare, and nothing else stands still.
func TestFreezeWithinADomain(t *testing.T) {
	spared := innocents(t)
	dir := box(t, "box-softer", 0)
	if err := os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+memory"), 0); err != nil {
		t.Fatal(err)
	}
	leaf, err := guest.Cgroup("box-softer/batch", 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unbox(leaf) })
	d := startDaemon(t, "--config", config(t, `domains:
  - cgroup: /box-softer
    pressure: {stall_max: 100%}
    relief:
      acts: [{at: low, do: freeze, cgroups: [/batch], for: 3s, pause: 1h}]
`))
	h := hog(t, "leak", "leak")
	boxed(t, leaf, h)
	if !guest.Until(patience, func() bool { return said(d.Process, "1 cgroups were frozen and run again") || !h.Alive() }) {
		t.Errorf("nothing was frozen: %q", d.Lines())
	}
	for _, line := range d.Lines() {
		if strings.Contains(line, "Relief") {
			t.Log(line)
		}
	}
	if index(d.Lines(), "box-softer", "Relief over", "1 cgroups were frozen and run again") < 0 || frozen(t, leaf) {
		t.Errorf("the hog is %s; lmkd said %q", h.Fate(), d.Lines())
	}
	for _, p := range spared {
		if !p.Alive() {
			t.Errorf("%s died: %s", p.Name, p.Fate())
		}
	}
}
