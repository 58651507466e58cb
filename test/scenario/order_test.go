//go:build vm

package scenario

import (
	"testing"

	"github.com/lmkd/lmkd/test/vm/guest"
)

// A victim that takes seconds to die, stuck in a frozen file system, and a
// second hog that starts meanwhile: nobody is killed before the first is gone.
// The engine's patience is longer than the victim's death here, so that only
// the pidfd's readiness can end the wait.
func TestSecondHogWaitsForTheFirst(t *testing.T) {
	spared := innocents(t)
	d := startDaemon(t, "--config", config(t, "kill:\n  timeout: 1m\n"))
	before := mark(t)
	first := stuck(t, "first", "4s")
	second := hog(t, "second", "leak", "-rate", "20")
	if !guest.Until(patience, func() bool { return !first.Alive() && !second.Alive() }) {
		t.Fatalf("first %s, second %s", first.Fate(), second.Fate())
	}
	if first.Fate() != "signal: killed" || second.Fate() != "signal: killed" {
		t.Errorf("first ended with %s, second with %s", first.Fate(), second.Fate())
	}
	for _, p := range spared {
		if !p.Alive() {
			t.Errorf("%s died: %s", p.Name, p.Fate())
		}
	}
	if kills := mark(t).OOMKills - before.OOMKills; kills != 0 {
		t.Errorf("the kernel's OOM killer killed %d", kills)
	}
	_ = d.Terminate()
	if err := d.WaitExit(patience); err != nil {
		t.Fatal(err)
	}
	if kills := d.assertOneAtATime(t); kills != 2 {
		t.Errorf("%d kills, want 2", kills)
	}
}
