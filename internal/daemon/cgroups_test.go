package daemon

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/lmkd/lmkd/internal/cgroups"
	"github.com/lmkd/lmkd/internal/engine"
	"github.com/lmkd/lmkd/internal/memory"
	"github.com/lmkd/lmkd/internal/record"
	"github.com/lmkd/lmkd/pkg/pressure"
)

// stuck is a cgroup at its limit whose tasks all stall.
type stuck struct{ closed bool }

func (s *stuck) Sample(now time.Duration, out *pressure.Sample) error {
	*out = pressure.Sample{At: now, Has: pressure.HasAvailable | pressure.HasStall, Memory: pressure.Memory{Total: 96 << 20, Available: 1 << 20}}
	out.Stall.SomeTotal, out.Stall.FullTotal = uint64(now.Microseconds()), uint64(now.Microseconds())
	return nil
}

func (*stuck) Watermarks(time.Duration, *pressure.Watermarks) error { return nil }
func (s *stuck) Close()                                             { s.closed = true }

// helped is a loop with a directory that stands for cgroup v2, and no files of
// memory in it.
func helped(t *testing.T) (*loop, *record.Ring, string) {
	t.Helper()
	l, ring := openLoop(t, eager())
	root := t.TempDir()
	finder, err := cgroups.NewFinder(root, nil)
	if err != nil {
		t.Fatal(err)
	}
	all, err := memory.OpenCgroups("/", root)
	if err != nil {
		t.Fatal(err)
	}
	l.within = &within{root: root, finder: finder, memory: all, paths: map[string]*domain{}, failed: map[string]cgroups.Event{}, say: t.Logf}
	return l, ring, root
}

// within adds a domain of a cgroup in which these processes are.
func (l *loop) withCgroup(t *testing.T, path string, in ...*exec.Cmd) *domain {
	t.Helper()
	dir := filepath.Join(l.within.root, path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	text := ""
	for _, cmd := range in {
		text += fmt.Sprintln(cmd.Process.Pid)
	}
	if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	m := engine.Linux()
	p := engine.Cgroup(&m)
	p.Pressure.StallMax, p.Victim.Rules, p.MaxKills, p.CoolDown = 0, nil, 0, 0
	d := newDomain(l.freeNumber(), &p, &stuck{})
	d.path, d.key = path, keyOf(path)
	var err error
	if d.subtree, err = l.table.Subtree(dir); err != nil {
		t.Fatal(err)
	}
	l.domains[d.id], l.within.paths[path] = d, d
	l.record.Open(d.id, path, d.policy)
	return d
}

func (l *loop) presses(d *domain) {
	l.handle(d, engine.Input{Kind: engine.Woken, Source: engine.FromPSI, Event: pressure.LevelMedium})
}

// Each domain has a victim of its own, of those in its cgroup, and both at once.
func TestOneVictimForEachDomain(t *testing.T) {
	l, _, _ := helped(t)
	a, b := sleeper(t), sleeper(t)
	one, two := l.withCgroup(t, "/a", a), l.withCgroup(t, "/b", b)
	l.presses(one)
	l.presses(two)
	if !one.dying || one.victim.PID() != a.Process.Pid || !two.dying || two.victim.PID() != b.Process.Pid || l.machine().dying {
		t.Errorf("victims %d and %d of %d and %d", one.victim.PID(), two.victim.PID(), a.Process.Pid, b.Process.Pid)
	}
	if one.flight == two.flight {
		t.Error("two kills have one number")
	}
}

func TestNothingIsAllocatedWithinACgroup(t *testing.T) {
	l, _, _ := helped(t)
	d := l.withCgroup(t, "/a", sleeper(t))
	kill := func() {
		l.presses(d)
		if !d.dying {
			t.Fatal("nobody was chosen")
		}
		l.forget(d)
		l.handle(d, engine.Input{Kind: engine.Exited})
		l.forget(d)
		l.handle(d, engine.Input{Kind: engine.Exited})
	}
	kill()
	if n := testing.AllocsPerRun(20, kill); n != 0 && !underRace {
		t.Errorf("%v allocations in a kill", n)
	}
}

// A domain whose cgroup is gone is closed, its number is given to the next, and
// the record knows one from the other. A kill under way is finished first.
func TestCgroupGoes(t *testing.T) {
	l, ring, _ := helped(t)
	child := sleeper(t)
	d := l.withCgroup(t, "/a", child)
	l.presses(d)
	if !d.dying {
		t.Fatal("nobody was chosen")
	}
	l.cameOrWent(cgroups.Event{Path: "/a", Gone: true})
	l.settle(d)
	if l.domains[d.id] != d || d.memory.(*stuck).closed {
		t.Error("it was closed while its victim is dying")
	}
	_ = child.Process.Kill()
	_ = child.Wait()
	l.note(d, tokenVictim, 0)
	l.settle(d)
	if d.dying { // the look after the kill found memory short still, and nobody
		t.Error("it killed again")
	}
	if l.domains[d.id] != nil || !d.memory.(*stuck).closed {
		t.Fatal("it was not closed")
	}
	if next := l.withCgroup(t, "/b"); next.id != d.id {
		t.Errorf("number %d is not used again: %d", d.id, next.id)
	}
	l.timeout()
	log := seen{}
	pub := record.Publish(ring, log)
	pub.Close()
	if log["/a closed"] != 1 {
		t.Errorf("the record has %v", log)
	}
}

type seen map[string]int

func (s seen) Record(e *record.Entry) {
	if e.Of != nil && e.Closed {
		s[e.Of.Name+" closed"]++
	}
}

// A cgroup without memory files is told of, tried again, and not told of when it
// is gone.
func TestCgroupThatCanNotBeWatched(t *testing.T) {
	l, _, root := helped(t)
	said := &lines{}
	l.within.say, l.within.groups = said.say, []*Group{{Policy: engine.Linux(), Called: func(p string) string { return p }}}
	if err := os.Mkdir(root+"/bare", 0o755); err != nil {
		t.Fatal(err)
	}
	l.cameOrWent(cgroups.Event{Path: "/bare"})
	l.cameOrWent(cgroups.Event{Path: "/never-was"})
	if !said.has("/bare is not watched") || !said.has("give it the memory controller") || said.has("never-was") || len(l.within.failed) != 1 {
		t.Errorf("said %q, %d to try again", said.text, len(l.within.failed))
	}
	l.cameOrWent(cgroups.Event{Path: "/bare", Gone: true})
	if len(l.within.failed) != 0 || len(l.within.paths) != 0 {
		t.Error("it is remembered after its end")
	}
}

// More than there can be are told of once.
func TestTooManyDomains(t *testing.T) {
	l, _, _ := helped(t)
	said := &lines{}
	l.within.say = said.say
	for len(l.domains) < maxDomains {
		l.domains = append(l.domains, l.machine())
	}
	defer func() { l.domains = l.domains[:1] }()
	l.within.groups = []*Group{{}}
	l.cameOrWent(cgroups.Event{Path: "/a"})
	l.cameOrWent(cgroups.Event{Path: "/b"})
	if len(said.text) != 1 || !said.has("1024 domains are the most there can be") {
		t.Errorf("said %q", said.text)
	}
}
