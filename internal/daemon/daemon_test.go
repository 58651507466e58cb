package daemon

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lmkd/lmkd/internal/engine"
	"github.com/lmkd/lmkd/internal/record"
	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/kill"
	"github.com/lmkd/lmkd/pkg/pressure"
	"github.com/lmkd/lmkd/pkg/victim"
)

// eager is a policy that finds any machine short of memory once an event comes.
func eager() engine.Policy {
	p := engine.Linux()
	p.Pressure.MaxAvailable, p.Pressure.LowAvailable, p.Pressure.LowAvailableBytes = 0, 100, 0
	p.Pressure.SwapFreeLowPercentage = 100
	p.Victim.Rules = nil
	p.MaxKills, p.CoolDown = 0, 0 // nobody dies, so that nothing comes back
	return p
}

// openLoop makes a loop on this machine that kills nobody.
func openLoop(t testing.TB, p engine.Policy) (*loop, *record.Ring) {
	t.Helper()
	ring := record.NewRing(record.DefaultSize)
	d, err := New(Options{
		Root: "/", Policy: p, DryRun: true, Say: t.Logf,
		Record: func(*engine.Policy) (Recorder, error) { return ring, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	l, err := d.open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.close)
	l.rehearse()
	return l, ring
}

// dryKill is a whole kill of a process of this machine, from the wake to the
// signal (number 0) and past the victim's end.
func dryKill(t testing.TB, l *loop) {
	l.handle(l.machine(), engine.Input{Kind: engine.Woken, Source: engine.FromPSI, Event: pressure.LevelMedium})
	if !l.machine().dying {
		t.Fatal("nobody was chosen")
	}
	l.forget(l.machine())
	l.handle(l.machine(), engine.Input{Kind: engine.Exited})
	l.forget(l.machine())
	l.handle(l.machine(), engine.Input{Kind: engine.Exited})
}

func TestNothingIsAllocatedBetweenWakeAndSignal(t *testing.T) {
	l, _ := openLoop(t, eager())
	dryKill(t, l)
	if n := testing.AllocsPerRun(20, func() { dryKill(t, l) }); n != 0 && !underRace {
		t.Errorf("%v allocations in a kill", n)
	}
}

func BenchmarkKill(b *testing.B) {
	l, _ := openLoop(b, eager())
	b.ReportAllocs()
	for b.Loop() {
		dryKill(b, l)
	}
}

// The record is made before the signal: when the killer is asked, the choice
// stands in the flight recorder already.
func TestRecordComesBeforeTheSignal(t *testing.T) {
	l, ring := openLoop(t, eager())
	seen := &witness{}
	l.record = tee{ring, seen}
	l.killer = asked{func() { seen.order = append(seen.order, "signal") }}
	dryKill(t, l)
	chose := strings.Join(seen.order, " ")
	if !strings.Contains(chose, "kill signal") {
		t.Errorf("order of events: %s", chose)
	}
}

type witness struct{ order []string }

func (w *witness) Append(_ uint16, _ *engine.Input, out *engine.Output) {
	for i := range out.Actions {
		w.order = append(w.order, out.Actions[i].Do.String())
	}
}

type tee struct {
	*record.Ring
	w *witness
}

func (t tee) Append(d uint16, in *engine.Input, out *engine.Output) {
	t.Ring.Append(d, in, out)
	t.w.Append(d, in, out)
}

type asked struct{ signalled func() }

func (a asked) signal(p kill.Process, startTime uint64, sig int) sys.Errno {
	a.signalled()
	return dry{}.signal(p, startTime, sig)
}
func (asked) signalFd(int, int)                                      {}
func (asked) reap(*kill.Reapers, int, uint64)                        {}
func (asked) strike(*kill.Group, uint64) ([]*kill.Member, sys.Errno) { return nil, 0 }
func (asked) examine(*kill.Reapers, int, uint64)                     {}

// A stopped loop does not make the watchdog of memory that is not short kill.
func TestWatchdogLooksBeforeItKills(t *testing.T) {
	child, said := sleeper(t), &lines{}
	w, _ := openTestWatchdog(t, said, shortMemory(t, 400<<10, child)) // kB available
	w.stand()
	if !said.has("memory is not short") || !alive(child) {
		t.Errorf("said %q, child alive: %v", said.text, alive(child))
	}
}

// A loop that hangs while memory is short is stood in for: the timer fires, and
// the largest process that may die is dead.
func TestWatchdogStandsIn(t *testing.T) {
	child, said := sleeper(t), &lines{}
	w, seen := openTestWatchdog(t, said, shortMemory(t, 2<<10, child))
	w.busy() // and never idle: the loop hangs
	_ = child.Wait()
	w.idle()
	o := <-seen.told
	if int(o.Victim.PID) != child.Process.Pid || o.Verdict.Reason != pressure.LowAvailable || o.ExitedAt == 0 || !said.has("the loop has hung") {
		t.Errorf("%+v, said %q", o, said.text)
	}
	order := strings.Join(seen.order, " ")
	if !strings.Contains(order, "list kill signal wait") {
		t.Errorf("the record was not made before the signal: %s", order)
	}
}

// standIn is the record of a watchdog, with the signal where it was sent.
type standIn struct {
	witness
	told chan engine.Outcome
}

func (s *standIn) Append(d uint16, in *engine.Input, out *engine.Output) {
	s.witness.Append(d, in, out)
	if out.Outcome != nil {
		s.told <- *out.Outcome
	}
}

func (*standIn) Notify()                             {}
func (*standIn) Open(uint16, string, *engine.Policy) {}
func (*standIn) Close(uint16)                        {}

// heard is a killer that says when it is asked.
type heard struct {
	killer
	signalled func()
}

func (h heard) signal(p kill.Process, startTime uint64, sig int) sys.Errno {
	h.signalled()
	return h.killer.signal(p, startTime, sig)
}

func openTestWatchdog(t *testing.T, said *lines, root string) (*watchdog, *standIn) {
	t.Helper()
	p := engine.Linux()
	seen := &standIn{told: make(chan engine.Outcome, 1)}
	d, err := New(Options{
		Root: root, Policy: p, Watchdog: 50 * time.Millisecond, Say: said.say,
		WatchdogRecord: func() Recorder { return seen },
	})
	if err != nil {
		t.Fatal(err)
	}
	w, err := d.openWatchdog(&p)
	if err != nil {
		t.Fatal(err)
	}
	w.killer = heard{w.killer, func() { seen.order = append(seen.order, "signal") }}
	w.start()
	t.Cleanup(w.idle)
	return w, seen
}

type lines struct {
	mu   sync.Mutex
	text []string
}

func (l *lines) say(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, fmt.Sprintf(format, args...))
}

func (l *lines) has(part string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(strings.Join(l.text, "\n"), part)
}

func sleeper(t *testing.T) *exec.Cmd {
	t.Helper()
	return actor(t, "idle")
}

func alive(cmd *exec.Cmd) bool {
	fd, e := sys.PidfdOpen(cmd.Process.Pid)
	defer fd.Close()
	ready, _ := sys.PollIn(fd.Int())
	return e == 0 && ready == 0
}

// shortMemory makes a root in which so many kB are available and the child holds
// most of the rest; its stat is the real one, or no signal would reach it.
func shortMemory(t *testing.T, available int, child *exec.Cmd) string {
	t.Helper()
	root := t.TempDir()
	put(t, root, map[string]string{
		"meminfo": fmt.Sprintf("MemTotal: 1000000 kB\nMemFree: 2000 kB\nMemAvailable: %d kB\nActive(file): 1000 kB\nInactive(file): 1000 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\nShmem: 0 kB\n", available),
		"vmstat":  "nr_inactive_file 250\nnr_active_file 250\noom_kill 0\n",
	})
	large(t, root, child.Process.Pid, 0)
	return root
}

// large makes a process of root that holds most of memory.
func large(t *testing.T, root string, number, adj int) {
	t.Helper()
	pid := fmt.Sprint(number)
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		t.Fatal(err)
	}
	put(t, root, map[string]string{
		pid + "/statm":         "200000 150000 100 1 0 100000 0\n",
		pid + "/oom_score_adj": fmt.Sprintln(adj),
		pid + "/stat":          string(stat),
		pid + "/status":        "Name:\tsleep\nState:\tS (sleeping)\nTgid:\t" + pid + "\nPid:\t" + pid + "\nPPid:\t1\nTracerPid:\t0\nUid:\t0\t0\t0\t0\nRssAnon:\t600000 kB\nRssFile:\t400 kB\nRssShmem:\t0 kB\nVmSwap:\t0 kB\nThreads:\t1\n",
		pid + "/cgroup":        "0::/test.scope\n",
		pid + "/cmdline":       "sleep\x001000\x00",
	})
}

func put(t *testing.T, root string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(root, "proc", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// The kills under way survive the daemon, for the same boot only, and are gone
// when the victims are.
func TestInflight(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run", "inflight")
	hog := &victim.Process{PID: 4711, StartTime: 99}
	hog.SetName([]byte("hog"))
	other := &victim.Process{PID: 4712, StartTime: 98}
	f := reopen(t, path)
	f.begin(machine, hog)
	f.begin(7, other)
	f.close()
	f = reopen(t, path, adopted{machine, *hog}, adopted{7, *other})
	f.begin(7, other)
	f.begin(machine, hog)
	f.end(7)
	f.close()
	f = reopen(t, path, adopted{machine, *hog})
	f.begin(machine, hog)
	f.b[inflightBoot]++ // another boot
	f.close()
	reopen(t, path).close()
}

func reopen(t *testing.T, path string, want ...adopted) *inflight {
	t.Helper()
	f, got, err := openInflight(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(want) {
		t.Fatalf("found %d kills, want %d", len(got), len(want))
	}
	for i := range want {
		g, w := &got[i], &want[i]
		if g.domain != w.domain || g.victim.Identity() != w.victim.Identity() || g.victim.Name() != w.victim.Name() {
			t.Errorf("found %d %q of domain %d", g.victim.PID, g.victim.Name(), g.domain)
		}
	}
	return f
}

// More kills than there are slots are begun all the same.
func TestInflightIsFull(t *testing.T) {
	f := reopen(t, filepath.Join(t.TempDir(), "inflight"))
	defer f.close()
	p := &victim.Process{PID: 2}
	for domain := range uint64(inflightSize / inflightSlot) {
		f.begin(domain, p)
	}
	if n := len(f.read()); n != inflightSize/inflightSlot-1 {
		t.Errorf("%d kills are remembered", n)
	}
}

func TestInflightSaysWhyNot(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var at *os.PathError
	if _, _, err := openInflight(filepath.Join(file, "inflight")); !errors.As(err, &at) {
		t.Errorf("a file in place of a directory: %v", err)
	}
}

// The engine has the holds of pkg/kill by the same names.
func TestHoldsAreTheSame(t *testing.T) {
	for h := kill.Hold(1); h != 0; h <<= 1 {
		if theirs := engine.Hold(h); theirs.String() != h.String() || engine.ParseHold(h.String()) != theirs && h.String() != "" {
			t.Errorf("%#x is %q here and %q in pkg/kill", uint16(h), theirs, h)
		}
	}
	if engine.Lasting != engine.Hold(kill.Lasting) {
		t.Errorf("lasting are %v here and %v in pkg/kill", engine.Lasting, kill.Lasting)
	}
}
