//go:build vm

package scenario

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/test/vm/guest"
)

// The daemon is killed between the signal and the victim's end: the next one
// finds the kill under way and waits for it before it chooses anew.
func TestRestartInTheMiddle(t *testing.T) {
	cfg := config(t, "kill:\n  timeout: 1m\n")
	first := startDaemon(t, "--config", cfg)
	victim := stuck(t, "first", "20s") // a daemon takes seconds to start in an emulated guest
	second := hog(t, "second", "leak", "-rate", "10")
	if !guest.Until(patience, func() bool { return said(first.Process, "Kill 'first'") }) {
		t.Fatalf("the first victim was not killed: %q", first.Lines())
	}
	first.shot = true
	first.Kill()
	next := start(t, "run", "--config", cfg)
	if !guest.Until(patience, func() bool { return !victim.Alive() && !second.Alive() }) {
		t.Fatalf("first %s, second %s", victim.Fate(), second.Fate())
	}
	guest.Until(patience, func() bool { return said(next, "Killed 'second'") })
	lines := next.Lines()
	// It is gone, or, stuck with its memory back, waited for no longer.
	ended, shot := index(lines, "'first'", "killed by an earlier run"), index(lines, "Kill 'second'")
	if ended < 0 || shot < ended {
		t.Errorf("the second daemon did not wait for the first one's victim: %q", lines)
	}
}

// Where the configuration asks for it a victim is asked first: one that obeys
// ends by SIGTERM, one that does not by SIGKILL.
func TestSigtermFirst(t *testing.T) {
	cfg := config(t, "kill:\n  term_timeout: 2s\n  timeout: 1m\n")
	for _, tc := range []struct{ hog, fate string }{{"leak", "signal: terminated"}, {"sigterm", "signal: killed"}} {
		t.Run(tc.hog, func(t *testing.T) {
			d := startDaemon(t, "--config", cfg)
			hog(t, "ballast", "finite", "-mb", "250", "-adj", "-900")
			before := mark(t)
			h := hog(t, tc.hog, tc.hog, "-rate", "10")
			if !guest.Until(patience, func() bool { return !h.Alive() }) || h.Fate() != tc.fate {
				t.Errorf("the hog ended with %s, want %s", h.Fate(), tc.fate)
			}
			if kills := mark(t).OOMKills - before.OOMKills; kills != 0 {
				t.Errorf("the kernel's OOM killer killed %d", kills)
			}
			_ = d.Terminate()
			_ = d.WaitExit(patience)
			d.assertOneAtATime(t)
		})
	}
}

// Files on tmpfs hold the memory: at most the filler dies, and no innocent.
func tmpfsIsLetGrow(t *testing.T) {
	spared := innocents(t)
	d := startDaemon(t)
	before := mark(t)
	h := hog(t, "filler", "tmpfs")
	t.Cleanup(func() { _ = os.Remove(fmt.Sprintf("/dev/shm/hog-%d", h.PID)) })
	guest.Until(time.Minute, func() bool { return !h.Alive() || said(h, "full:") })
	guest.Until(5*time.Second, func() bool { return !h.Alive() }) // and nobody dies of it later
	for _, p := range spared {
		if !p.Alive() {
			t.Errorf("%s died: %s", p.Name, p.Fate())
		}
	}
	if kills := mark(t).OOMKills - before.OOMKills; kills != 0 {
		t.Errorf("the kernel's OOM killer killed %d", kills)
	}
	_ = d.Terminate()
	_ = d.WaitExit(patience)
	if kills := countKills(d.steps(t)); kills > 1 {
		t.Errorf("%d kills, want at most 1", kills)
	}
}

// Somebody else has killed a process that holds most of memory and hangs. The
// daemon helps it to give its memory back, and kills nobody for it.
func TestSomebodyElsesKill(t *testing.T) {
	spared := innocents(t)
	d := startDaemon(t)
	first := stuck(t, "first", "1m")
	fd, e := sys.PidfdOpen(first.PID)
	defer fd.Close()
	if e == 0 {
		e = sys.PidfdSignal(fd.Int(), sys.SIGKILL)
	}
	if e != 0 {
		t.Fatal(e)
	}
	second := hog(t, "second", "leak", "-rate", "20")
	if !guest.Until(patience, func() bool { return !second.Alive() }) {
		t.Fatalf("second %s", second.Fate())
	}
	for _, p := range spared {
		if !p.Alive() {
			t.Errorf("%s died: %s", p.Name, p.Fate())
		}
	}
	_ = d.Terminate()
	_ = d.WaitExit(patience)
	assertFreed(t, d.steps(t))
}

// assertFreed reads that what was dying was counted on and helped before the
// first kill, and that there was one.
func assertFreed(t *testing.T, steps []step) {
	t.Helper()
	helped, kills := false, 0
	for _, s := range steps {
		for _, a := range s.Out.Actions {
			helped = helped || kills == 0 && s.Out.Note == "freeing" && a.Do == "expedite"
		}
		kills += countKills([]step{s})
	}
	if !helped || kills != 1 {
		t.Errorf("%d kills, the dying helped before the first: %v", kills, helped)
	}
}
