//go:build vm

package scenario

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lmkd/lmkd/test/vm/guest"
)

const lmkdPath = "/vm/bin/lmkd"

// patience is how long anything may take before it counts as never: emulated
// machines are slow, and nothing here measures time.
const patience = 3 * time.Minute

func TestMain(m *testing.M) {
	if os.Getenv(unprivilegedEnv) != "" {
		becomeUnprivileged()
	}
	if err := guest.ProtectSelf(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// daemon is lmkd under test with the trace that it writes.
type daemon struct {
	*guest.Process
	trace string
	shot  bool // the test itself killed it
}

// startDaemon starts lmkd and waits until its sources are armed. At the end of
// the test it is stopped and its trace replayed.
func startDaemon(t *testing.T, args ...string) *daemon {
	t.Helper()
	trace := guest.OutPath(strings.ReplaceAll(t.Name(), "/", "-") + ".trace")
	d := &daemon{trace: trace, Process: start(t, append([]string{"run", "--trace", trace}, args...)...)}
	t.Cleanup(func() { d.finish(t) })
	return d
}

// start starts lmkd and waits until it says that it is ready.
func start(t *testing.T, args ...string) *guest.Process {
	t.Helper()
	path := lmkdPath
	if os.Getenv(unprivilegedEnv) != "" {
		path, args = os.Args[0], append([]string{lmkdPath}, args...)
	}
	d, err := guest.Program(os.Stderr, 0, path, args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Kill)
	if !guest.Until(patience, func() bool { return !d.Alive() || said(d, "is ready") }) || !d.Alive() {
		t.Fatalf("lmkd is not ready (%s): %q", d.Fate(), d.Lines())
	}
	return d
}

// config writes a configuration file.
func config(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "lmkd.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func said(p *guest.Process, text string) bool {
	return slices.ContainsFunc(p.Lines(), func(l string) bool { return strings.Contains(l, text) })
}

// finish stops the daemon and proves that its trace gives the same decisions.
func (d *daemon) finish(t *testing.T) {
	if d.Alive() {
		_ = d.Terminate()
		if err := d.WaitExit(patience); err != nil {
			t.Errorf("lmkd did not stop: %v", err)
			d.Kill()
		}
	}
	if fate := d.Fate(); fate != "exit status 0" && !d.shot {
		t.Errorf("lmkd ended with %s", fate)
	}
	out, err := exec.Command(lmkdPath, "replay", d.trace).CombinedOutput()
	if err != nil {
		t.Errorf("replay: %v\n%s", err, out)
	}
	if !t.Skipped() {
		checkOneAtATime(t, d.steps(t))
	}
}

// innocent is a process that must not suffer.
type innocent struct {
	*guest.Process
}

// innocents start beside every hog: an editor, a shell, a player, and a daemon
// that the administrator protects.
func innocents(t *testing.T) []innocent {
	t.Helper()
	var out []innocent
	for _, args := range [][]string{
		{"editor", "-mb", "20"}, {"shell", "-mb", "2"}, {"player", "-mb", "12"}, {"sshd-like", "-mb", "4", "-adj", "-500"},
	} {
		p, err := guest.Hog(args[0], append([]string{"innocent"}, args[1:]...)...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Kill)
		if !guest.Until(patience, func() bool { return slices.Contains(p.Lines(), "ready") }) {
			t.Fatalf("%s is not ready: %s", p.Name, p.Fate())
		}
		out = append(out, innocent{p})
	}
	return out
}

func hog(t *testing.T, name string, args ...string) *guest.Process {
	t.Helper()
	p, err := guest.Hog(name, args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

// stuck starts a hog of 300 MB that takes so long to die of SIGKILL, once it holds
// them all, and that goes before all others by its oom_score_adj.
func stuck(t *testing.T, name, hold string) *guest.Process {
	t.Helper()
	p := hog(t, name, "slowdie", "-mb", "300", "-hold", hold, "-adj", "950")
	if !guest.Until(patience, func() bool { return slices.Contains(p.Lines(), "ready") }) {
		t.Fatalf("%s %s", name, p.Fate())
	}
	return p
}

func mark(t *testing.T) guest.Mark {
	t.Helper()
	m, err := guest.TakeMark()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// step is one line of a trace, as far as the tests look at it.
type step struct {
	Seq    uint64 `json:"seq"`
	Domain int    `json:"domain"`
	Closed bool   `json:"closed"`
	Opened struct {
		Name string `json:"name"`
	} `json:"opened"`
	Kind  string `json:"kind"`
	Act   uint8  `json:"act"`
	Bytes uint64 `json:"bytes"`
	Out   struct {
		Actions []struct {
			Do   string `json:"do"`
			Acts uint8  `json:"acts"`
		} `json:"actions"`
		Note    string `json:"note"`
		Outcome *struct {
			Victim struct {
				PID  int    `json:"pid"`
				Comm string `json:"comm"`
			} `json:"victim"`
		} `json:"outcome"`
	} `json:"out"`
}

// steps reads the trace, its header left out.
func (d *daemon) steps(t *testing.T) []step {
	t.Helper()
	f, err := os.Open(d.trace)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []step
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 8<<20)
	for n := 0; lines.Scan(); n++ {
		if n == 0 {
			continue
		}
		var s step
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			t.Fatalf("trace line %d: %v", n+1, err)
		}
		out = append(out, s)
	}
	return out
}

// assertOneAtATime is checkOneAtATime for a run that must have had a kill.
func (d *daemon) assertOneAtATime(t *testing.T) (kills int) {
	t.Helper()
	kills, ends := checkOneAtATime(t, d.steps(t))
	if ends == 0 {
		t.Error("the record tells of no victim's end")
	}
	return kills
}

// checkOneAtATime reads in a record that no domain asked for a kill between the
// signal to a victim and its end, its deadline, or the proof that it is stuck and
// holds nothing. Every run's record is read so when it is over.
func checkOneAtATime(t *testing.T, steps []step) (kills, ends int) {
	t.Helper()
	dying := map[int]bool{}
	for _, s := range steps {
		switch {
		case s.Closed:
			dying[s.Domain] = false
		case s.Kind == "adopted":
			dying[s.Domain] = true
		case s.Kind == "exited":
			ends++
			dying[s.Domain] = false
		case s.Out.Note == "kill_timeout", s.Out.Note == "kill_failed", s.Out.Note == "kill_stuck":
			dying[s.Domain] = false
		}
		for _, a := range s.Out.Actions {
			if a.Do != "kill" {
				continue
			}
			if dying[s.Domain] {
				t.Errorf("step %d kills while a victim is dying", s.Seq)
			}
			dying[s.Domain] = true
			kills++
		}
	}
	return kills, ends
}

// countKills counts the kills that a record asks for.
func countKills(steps []step) (n int) {
	for _, s := range steps {
		for _, a := range s.Out.Actions {
			if a.Do == "kill" {
				n++
			}
		}
	}
	return n
}

// index gives the first line that has all the texts, -1 when none does.
func index(lines []string, texts ...string) int {
	return slices.IndexFunc(lines, func(l string) bool {
		return !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(l, text) })
	})
}
