//go:build vm

package scenario

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/lmkd/lmkd/test/vm/guest"
)

// letBeFor is how long a load that must not cost anybody his life is watched
// once it is under way.
const letBeFor = 20 * time.Second

// Loads that look like a shortage and are none: nobody dies, by lmkd's hand or
// the kernel's. Those with a filler leave so much available that the gate of
// max_available is open, and the rest of the judgement alone holds back.
func TestLetBe(t *testing.T) {
	for _, tc := range []struct {
		name string
		rest int // MB that a filler leaves available, 0 for no filler
		load []string
	}{
		{"a file larger than memory is read", 0, []string{"stream"}},
		{"a file is read through what little cache is left", 90, []string{"stream"}},
		{"programs wait for the disk with memory to spare", 0, []string{"thrash", "-rest", "400"}},
		{"as much as leaves an eighth is allocated at once", 0, []string{"finite", "-mb", "leave:60"}},
		{"as much as leaves just more than the floor is allocated at once", 0, []string{"finite", "-mb", "leave:34"}},
		{"a file on tmpfs grows with memory to spare", 0, []string{"tmpfs", "-rate", "0"}},
	} {
		t.Run(tc.name, func(t *testing.T) { letsBe(t, tc.rest, tc.load) })
	}
}

func letsBe(t *testing.T, rest int, load []string) {
	spared := innocents(t)
	d := startDaemon(t)
	if rest > 0 {
		spared = append(spared, fill(t, rest))
	}
	before := mark(t)
	h := hog(t, "load", sized(t, load)...)
	t.Cleanup(func() { _ = os.Remove(fmt.Sprintf("/dev/shm/hog-%d", h.PID)) }) // where it is tmpfs
	spared = append(spared, innocent{h})
	guest.Until(letBeFor, func() bool { return someDied(spared) })
	after := mark(t)
	stalled := after.Stalled(before)
	t.Logf("%v: available %d MB before, %d MB at the end, full stall %v, some stall %v",
		load, before.Available>>20, after.Available>>20, stalled.Full, stalled.Some)
	for _, p := range spared {
		if !p.Alive() {
			t.Errorf("%s died: %s", p.Name, p.Fate())
		}
	}
	if kills := after.OOMKills - before.OOMKills; kills != 0 {
		t.Errorf("the kernel's OOM killer killed %d", kills)
	}
	d.assertNoKill(t)
}

// fill starts a process that leaves so many MB available.
func fill(t *testing.T, rest int) innocent {
	p := hog(t, "filler", sized(t, []string{"finite", "-mb", "leave:" + strconv.Itoa(rest)})...)
	if err := p.WaitReady(patience); err != nil {
		t.Fatal(err)
	}
	return innocent{p}
}

// sized puts a number of MB in the place of "leave:MB": what that leaves.
func sized(t *testing.T, args []string) []string {
	out := append([]string(nil), args...)
	for i, a := range out {
		if len(a) > 6 && a[:6] == "leave:" {
			rest, err := strconv.Atoi(a[6:])
			if err != nil {
				t.Fatal(err)
			}
			out[i] = strconv.Itoa(int(mark(t).Available>>20) - rest)
		}
	}
	return out
}

// A hog that takes all but a thirtieth and then holds it stalls nobody, and dies.
func TestResidentHog(t *testing.T) {
	spared := innocents(t)
	d := startDaemon(t)
	before := mark(t)
	h := hog(t, "resident", sized(t, []string{"leak", "-rate", "20", "-mb", "leave:15"})...)
	if !guest.Until(patience, func() bool { return !h.Alive() }) {
		t.Error("the hog lives on")
	}
	t.Logf("full stall %v", mark(t).Stalled(before).Full)
	conclude(t, d, before, spared)
	d.finishAndCount(t, h.PID)
}

func someDied(all []innocent) bool {
	for _, p := range all {
		if !p.Alive() {
			return true
		}
	}
	return false
}

// assertNoKill stops the daemon and reads in its record that it killed nobody.
func (d *daemon) assertNoKill(t *testing.T) {
	t.Helper()
	_ = d.Terminate()
	if err := d.WaitExit(patience); err != nil {
		t.Fatal(err)
	}
	for _, s := range d.steps(t) {
		for _, a := range s.Out.Actions {
			if a.Do == "kill" {
				t.Errorf("step %d kills", s.Seq)
			}
		}
	}
}

// The same stream, and a bomb beside it: the page cache is full, kswapd works
// all the time, and who must die is the bomb alone.
func TestBombBesideStream(t *testing.T) {
	spared := innocents(t)
	d := startDaemon(t)
	stream := hog(t, "stream", "stream")
	guest.Until(20*time.Second, func() bool { return !stream.Alive() })
	before := mark(t)
	bomb := hog(t, "bomb", "bomb")
	if !guest.Until(patience, func() bool { return !bomb.Alive() }) || bomb.Fate() != "signal: killed" {
		t.Errorf("the bomb: %s", bomb.Fate())
	}
	after := mark(t)
	t.Logf("full stall %v, kernel OOM kills %d", after.Stalled(before).Full, after.OOMKills-before.OOMKills)
	if kills := after.OOMKills - before.OOMKills; kills != 0 {
		t.Errorf("the kernel's OOM killer killed %d", kills)
	}
	for _, p := range append(spared, innocent{stream}) {
		if !p.Alive() {
			t.Errorf("%s died: %s", p.Name, p.Fate())
		}
	}
	guest.Until(patience, func() bool { return said(d.Process, "Killed 'bomb'") })
	d.finishAndCount(t, bomb.PID)
}

// With a horizon of two seconds, and the reasons that wait for stalls silenced,
// the bomb beside the stream dies before it is at the floor.
func TestExhaustionAhead(t *testing.T) {
	spared := innocents(t)
	d := startDaemon(t, "--config", config(t, "pressure:\n  exhaustion_horizon: 2s\n  stall_min: 100%\n"))
	stream := hog(t, "stream", "stream")
	guest.Until(20*time.Second, func() bool { return !stream.Alive() })
	before := mark(t)
	bomb := hog(t, "bomb", "bomb")
	if !guest.Until(patience, func() bool { return !bomb.Alive() }) || bomb.Fate() != "signal: killed" {
		t.Errorf("the bomb: %s", bomb.Fate())
	}
	guest.Until(patience, func() bool { return said(d.Process, "Killed 'bomb'") })
	if !said(d.Process, "reason: exhaustion_ahead") {
		t.Errorf("it was not seen ahead: %q", d.Lines())
	}
	if kills := mark(t).OOMKills - before.OOMKills; kills != 0 {
		t.Errorf("the kernel's OOM killer killed %d", kills)
	}
	for _, p := range append(spared, innocent{stream}) {
		if !p.Alive() {
			t.Errorf("%s died: %s", p.Name, p.Fate())
		}
	}
	d.finishAndCount(t, bomb.PID)
}
