package memevent

import (
	"testing"
	"time"

	"github.com/lmkd/lmkd/internal/sys"
)

func TestOneWakeAnArm(t *testing.T) {
	b := newBench(t)
	quiet := func(when string) {
		t.Helper()
		if b.ready(t) {
			t.Errorf("readable %s", when)
		}
		if w := b.Drain(); w != (Wake{}) {
			t.Errorf("Drain %s: %+v", when, w)
		}
	}
	events := func() {
		for range 50 {
			run(t, b.wake, 0)
			run(t, b.begin)
			run(t, b.end)
			run(t, b.sleep, 0)
		}
	}
	events()
	quiet("before Arm")
	for _, tt := range []struct{ arm, want Kinds }{
		{Kswapd, Kswapd},
		{DirectReclaim, DirectReclaim},
		{Kswapd | DirectReclaim, Kswapd},
	} {
		b.Arm(tt.arm, 0, 0)
		quiet("after Arm and before an event")
		from := sys.Now()
		events()
		if !b.ready(t) {
			t.Errorf("armed for %b, not readable", tt.arm)
		}
		if w := b.Drain(); w.Kinds != tt.want || w.At < from || w.At > sys.Now() {
			t.Errorf("armed for %b: %+v, want kinds %b", tt.arm, w, tt.want)
		}
		events()
		quiet("after its one wake")
	}
	b.Arm(Kswapd|DirectReclaim, sys.Now()+time.Hour, 0)
	events()
	quiet("before its time")
	b.Arm(Kswapd|DirectReclaim, 0, 0)
	b.Disarm()
	events()
	quiet("after Disarm")
}

// TestKswapdThatStaysAwake: what Arm missed wakes at kswapd's next round.
func TestKswapdThatStaysAwake(t *testing.T) {
	b := newBench(t)
	run(t, b.wake, 0)
	since := b.State().KswapdSince
	b.Arm(Kswapd, sys.Now(), 0)
	run(t, b.wake, 0)
	if w := b.Drain(); w.Kinds != Kswapd || w.At <= since || b.State().KswapdSince != since {
		t.Errorf("kswapd's second round: %+v, since %v, want awake since %v", w, b.State().KswapdSince, since)
	}
}

func TestVictims(t *testing.T) {
	const task = 0xffff888100000000
	b := newBench(t)
	for i, tt := range []struct {
		arg, named uint64
		want       int
	}{
		{arg: 4711, want: 4711},
		{arg: task, named: 815, want: 815},
		{arg: task, want: 0},
		{arg: maxPID, named: 815, want: maxPID},
	} {
		b.shared.named = tt.named
		from := sys.Now()
		run(t, b.mark, tt.arg)
		got := b.State()
		if got.OOMKills != uint64(i+1) || got.LastVictim != tt.want || got.LastOOM < from || b.shared.named != 0 {
			t.Errorf("mark_victim(%#x), named %d: %+v, want victim %d", tt.arg, tt.named, got, tt.want)
		}
		if !b.ready(t) {
			t.Error("an OOM kill did not wake us, who never armed")
		}
		if w := b.Drain(); w != (Wake{KernelOOM, got.LastOOM}) || b.ready(t) {
			t.Errorf("Drain = %+v, want OOM at %v and no readiness", w, got.LastOOM)
		}
	}
}

// TestBellNeverSticks rings more often than the ring has room for records.
func TestBellNeverSticks(t *testing.T) {
	b := newBench(t)
	const more = 1000 // 16 bytes each in one page
	for range more {
		run(t, b.mark, 1)
	}
	if w := b.Drain(); w.Kinds != KernelOOM || b.State().OOMKills != more || b.ready(t) {
		t.Errorf("after %d kills: %+v, %+v", more, w, b.State())
	}
	run(t, b.mark, 1)
	if !b.ready(t) || b.Drain().Kinds != KernelOOM {
		t.Error("the bell is silent after the ring was full")
	}
}
