//go:build vm

package scenario

import (
	"testing"
	"time"

	"github.com/lmkd/lmkd/test/vm/guest"
)

// The hogs that eat memory: each must die by lmkd's hand, with the kernel's OOM
// killer idle, the innocents alive, and the memory back.
func TestHogs(t *testing.T) {
	for _, tc := range []struct {
		name string
		args []string
	}{
		{"leak", []string{"leak"}},
		{"bomb", []string{"bomb"}},
		{"sigterm", []string{"sigterm"}},
	} {
		t.Run(tc.name, func(t *testing.T) { killsTheHog(t, tc.name, tc.args...) })
	}
	t.Run("thrash", thrashDiesOrStallsLittle)
	t.Run("forks", forkBombDiesAsAWhole)
	t.Run("tmpfs", tmpfsIsLetGrow)
}

func killsTheHog(t *testing.T, name string, args ...string) {
	spared := innocents(t)
	d := startDaemon(t)
	before := mark(t)
	h := hog(t, name, args...)
	died := guest.Until(patience, func() bool { return !h.Alive() })
	stalled := mark(t).Stalled(before)
	back := guest.Until(patience, func() bool { return mark(t).Available > before.Available*9/10 })
	after := mark(t)
	t.Logf("%s: hog %s, full stall %v, some stall %v, available %d MB before, %d MB after, kernel OOM kills %d",
		name, h.Fate(), stalled.Full, stalled.Some, before.Available>>20, after.Available>>20, after.OOMKills-before.OOMKills)
	if !died {
		t.Errorf("the hog lives on")
	} else if h.Fate() != "signal: killed" {
		t.Errorf("the hog ended with %s, want signal: killed", h.Fate())
	}
	if after.OOMKills != before.OOMKills {
		t.Errorf("the kernel's OOM killer killed %d", after.OOMKills-before.OOMKills)
	}
	if !back {
		t.Errorf("memory is not back: %d MB available, %d MB before the hog", after.Available>>20, before.Available>>20)
	}
	for _, p := range spared {
		if !p.Alive() {
			t.Errorf("%s died: %s", p.Name, p.Fate())
		}
	}
	d.finishAndCount(t, h.PID)
}

// thrashFor is how long a working set that does not fit may go on unnoticed.
const thrashFor = 45 * time.Second

// stallMin is the default of stall_min.
const stallMin = 0.05

// A mapped file larger than what is left dies where tasks wait for it as long as
// stall_min asks, and may live where they do not: on an emulated machine that is
// a matter of how fast its processors are beside its disk.
func thrashDiesOrStallsLittle(t *testing.T) {
	spared := innocents(t)
	d := startDaemon(t)
	h := hog(t, "thrash", "thrash")
	guest.Until(patience, func() bool { return !h.Alive() || said(h, "ready") })
	before := mark(t)
	died := guest.Until(thrashFor, func() bool { return !h.Alive() })
	after := mark(t)
	share := after.Stalled(before).Full.Seconds() / (after.At - before.At).Seconds()
	t.Logf("thrash: hog %s, full stall %v, %.1f %% of the time", h.Fate(), after.Stalled(before).Full, 100*share)
	if !died && share >= stallMin {
		t.Errorf("the hog lives on")
	}
	for _, p := range spared {
		if !p.Alive() {
			t.Errorf("%s died: %s", p.Name, p.Fate())
		}
	}
	if kills, err := guest.OOMKills(); err != nil || kills != before.OOMKills {
		t.Errorf("the kernel's OOM killer killed %d, %v", kills-before.OOMKills, err)
	}
	if died {
		d.finishAndCount(t, h.PID)
		return
	}
	d.assertNoKill(t)
}

// finishAndCount stops the daemon and reads in its record that it killed once,
// and whom.
func (d *daemon) finishAndCount(t *testing.T, pid int) {
	t.Helper()
	guest.Until(patience, func() bool { return said(d.Process, "Killed '") })
	_ = d.Terminate()
	if err := d.WaitExit(patience); err != nil {
		t.Fatal(err)
	}
	if kills := d.assertOneAtATime(t); kills != 1 {
		t.Errorf("%d kills, want 1", kills)
	}
	for _, s := range d.steps(t) {
		if o := s.Out.Outcome; o != nil && o.Victim.PID != pid {
			t.Errorf("step %d is about %s (%d), not the hog", s.Seq, o.Victim.Comm, o.Victim.PID)
		}
	}
}
