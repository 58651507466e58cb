package daemon

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/lmkd/lmkd/internal/engine"
	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/pressure"
)

// openSofter makes a loop with one act that freezes the cgroups of a tree of
// plain files.
func openSofter(t *testing.T) (l *loop, seen *inputs, file string) {
	t.Helper()
	root := t.TempDir()
	file = filepath.Join(root, "hog", "cgroup.freeze")
	if err := os.Mkdir(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"cgroup.freeze": "0", "cgroup.procs": ""} {
		if err := os.WriteFile(filepath.Join(filepath.Dir(file), name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := eager()
	p.Relief = []engine.Relief{
		{At: pressure.LevelLow, Act: engine.Notify, Pause: time.Hour},
		{At: pressure.LevelCritical, Act: engine.Freeze, Cgroups: []string{"/hog"}, For: time.Hour, Pause: time.Hour},
	}
	l, ring := openLoop(t, p)
	seen = &inputs{}
	l.record = tee2{ring, seen}
	d := &Daemon{opt: l.options(t)}
	if err := d.openRelief(l); err != nil {
		t.Fatal(err)
	}
	l.softening.tools.Cgroups = root
	for _, w := range l.machine().softer { // those of this machine's cgroups
		if w != nil {
			w.Close()
		}
	}
	if err := l.startRelief(l.machine()); err != nil {
		t.Fatal(err)
	}
	return l, seen, file
}

// options are those that openLoop made the loop with.
func (l *loop) options(t *testing.T) Options {
	return Options{Root: "/", Policy: *l.machine().policy, Say: t.Logf}
}

// inputs are the softer acts that were recorded as ended.
type inputs struct{ ended []engine.Input }

type tee2 struct {
	Recorder
	seen *inputs
}

func (t tee2) Append(d uint16, in *engine.Input, out *engine.Output) {
	if in.Kind == engine.Relieved {
		t.seen.ended = append(t.seen.ended, *in)
	}
	t.Recorder.Append(d, in, out)
}

// holds waits until the file says so.
func holds(t *testing.T, file, want string) {
	t.Helper()
	got := ""
	for range 20_000 {
		text, _ := os.ReadFile(file)
		if got = string(text); got == want {
			return
		}
		_, _ = sys.PollFor(-1, 1)
	}
	t.Fatalf("%s says %q, want %q", file, got, want)
}

// A critical level freezes, the kill does not wait for it, its end is recorded
// with what it reached, and what is frozen when the daemon stops is thawed.
func TestSofterActs(t *testing.T) {
	l, seen, file := openSofter(t)
	l.handle(l.machine(), engine.Input{Kind: engine.Woken, Source: engine.FromPSI, Event: pressure.LevelMedium})
	if !l.machine().dying {
		t.Error("memory is exhausted, and the kill waits")
	}
	holds(t, file, "1")
	l.machine().relent(1 << 1)
	for len(seen.ended) == 0 {
		if ready, _ := sys.PollFor(l.softening.done.Fd(), 20_000); ready == 0 {
			t.Fatal("the act does not end")
		}
		l.collectRelief()
	}
	holds(t, file, "0")
	if len(seen.ended) != 1 || seen.ended[0].Act != 1 || seen.ended[0].Members != 1 || seen.ended[0].Took <= 0 {
		t.Errorf("recorded %+v", seen.ended)
	}
	l.machine().relieve(1 << 1)
	holds(t, file, "1")
	l.closeRelief()
	holds(t, file, "0")
}

// Without an act there is no thread, and the loop watches nothing more.
func TestNoSofterActs(t *testing.T) {
	l, _ := openLoop(t, engine.Linux())
	d := &Daemon{opt: l.options(t)}
	if err := d.openRelief(l); err != nil || l.softening != nil {
		t.Errorf("%v, %v", err, l.softening)
	}
}

// The acts of a cgroup's domain reach what lies below it, and nothing else; when
// the cgroup goes its threads go too, and nobody waits for them.
func TestSofterActsOfACgroup(t *testing.T) {
	l, _, file := openSofter(t)
	p := engine.Cgroup(l.machine().policy)
	p.Relief = []engine.Relief{{At: pressure.LevelLow, Act: engine.Freeze, Cgroups: []string{"/*"}, For: time.Hour}}
	box := newDomain(1, &p, nil)
	box.path = "/box"
	child := filepath.Join(filepath.Dir(filepath.Dir(file)), "box", "child")
	if err := os.MkdirAll(child, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"cgroup.freeze": "0", "cgroup.procs": ""} {
		if err := os.WriteFile(filepath.Join(child, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.startRelief(box); err != nil {
		t.Fatal(err)
	}
	box.relieve(1)
	holds(t, filepath.Join(child, "cgroup.freeze"), "1")
	holds(t, file, "0")
	l.leaveRelief(box)
	holds(t, filepath.Join(child, "cgroup.freeze"), "0")
	if len(l.softening.leaving) != 1 || box.softer[0] != nil {
		t.Errorf("%d threads leave", len(l.softening.leaving))
	}
	for range 20_000 {
		if l.collectRelief(); len(l.softening.leaving) == 0 {
			return
		}
		_, _ = sys.PollFor(-1, 1)
	}
	t.Error("the thread does not end")
}

// The watchdog kills and waits for nothing softer.
func TestWatchdogHasNoSofterActs(t *testing.T) {
	p := engine.Linux()
	p.Relief = []engine.Relief{{At: pressure.LevelLow, Act: engine.Freeze, For: time.Hour}}
	d := &Daemon{opt: Options{Root: "/", Policy: p, Watchdog: time.Hour, Say: t.Logf, WatchdogRecord: func() Recorder { return nil }}}
	w, err := d.openWatchdog(&p)
	if err != nil {
		t.Fatal(err)
	}
	if len(w.policy.Relief) != 0 || len(p.Relief) != 1 {
		t.Errorf("%d acts of the watchdog, %d of the machine", len(w.policy.Relief), len(p.Relief))
	}
}

// There are no more threads than the unit allows: what would need one more is no
// act of the domain.
func TestTooManyActs(t *testing.T) {
	l, _, _ := openSofter(t)
	p := engine.Cgroup(l.machine().policy)
	for range engine.MaxRelief {
		p.Relief = append(p.Relief, engine.Relief{Act: engine.Freeze, Cgroups: []string{"/x"}, For: time.Second})
	}
	refused := 0
	for id := range uint16(4) {
		own := p
		d := newDomain(id+1, &own, nil)
		l.domains = append(l.domains, d)
		if l.startRelief(d) != nil {
			refused++
		}
		for i := range d.softer {
			if (d.softer[i] != nil) != (i < len(d.policy.Relief)) {
				t.Errorf("domain %d: act %d of %d", d.id, i, len(d.policy.Relief))
			}
		}
	}
	if l.softening.threads != maxSofter || refused == 0 {
		t.Errorf("%d threads, %d domains were refused", l.softening.threads, refused)
	}
	l.closeRelief()
	l.softening, l.domains = nil, l.domains[:1]
}

// Who must not stand still: init, this process, and what a rule protects.
func TestGuard(t *testing.T) {
	p := engine.Linux()
	p.Relief = []engine.Relief{{Act: engine.Freeze}}
	l, _ := openLoop(t, p)
	d := &Daemon{opt: l.options(t)}
	if err := d.openRelief(l); err != nil {
		t.Fatal(err)
	}
	guard := l.softening.guard(&l.machine().policy.Victim)
	child := sleeper(t)
	if why := guard(int32(child.Process.Pid)); why != "" {
		t.Errorf("a plain child: %s", why)
	}
	for _, pid := range []int{1, sys.Getpid(), os.Getppid()} {
		if guard(int32(pid)) == "" {
			t.Errorf("process %d may stand still", pid)
		}
	}
	l.machine().policy.Victim.Never = []string{"sleep"}
	if guard(int32(child.Process.Pid)) == "" {
		t.Error("a rule says never")
	}
}
