package pressure

import (
	"testing"
	"time"
)

// TestLevels: each condition of each level, and the sentence that gives it.
func TestLevels(t *testing.T) {
	linux, android := Linux(), Android()
	const mib = 1 << 20
	pressed := Facts{Total: 1000 * mib, Available: 200 * mib, Floor: 50 * mib, Pressed: true, Limit: 20}
	with := func(change func(*Verdict)) Verdict {
		v := Verdict{Reason: None, Facts: pressed}
		change(&v)
		return v
	}
	for name, c := range map[string]struct {
		p    *Policy
		v    Verdict
		want string
	}{
		"rest":    {&linux, with(func(v *Verdict) { v.Facts.Pressed = false }), "none: no pressure, 200MiB of 1.0GiB is available"},
		"plenty":  {&linux, with(func(v *Verdict) { v.Facts.Plenty, v.Event = true, LevelCritical }), "none: memory to spare, 200MiB of 1.0GiB is available"},
		"pressed": {&linux, with(func(*Verdict) {}), "low: the kernel reclaims or tasks wait, and 200MiB of 1.0GiB is available"},
		"event":   {&linux, with(func(v *Verdict) { v.Event = LevelMedium }), "medium: tasks lose time to memory"},
		"near":    {&linux, with(func(v *Verdict) { v.Facts.Available = 90 * mib }), "medium: available 90.0MiB is below twice the floor 100MiB"},
		"thrashing": {&linux, with(func(v *Verdict) { v.Facts.Thrashing = 30 }),
			"medium: thrashing 30% is beyond the running limit 20%"},
		"swap": {&linux, with(func(v *Verdict) {
			v.Facts.SwapLow, v.Facts.SwapTotal, v.Facts.Mark, v.Facts.Low = true, 100*mib, BelowLow, 5*mib
		}),
			"medium: free 0B is below low 5.0MiB and free swap 0B is below 10% of swap, that is 10.0MiB"},
		"far ahead": {&linux, with(func(v *Verdict) { v.Facts.Ahead = time.Second / 2 }), "low: the kernel reclaims or tasks wait, and 200MiB of 1.0GiB is available"},
		"ahead": {&linux, with(func(v *Verdict) {
			v.Facts.Available, v.Facts.Fall, v.Facts.Ahead = 90*mib, 80*mib, time.Second/2
		}), "critical: memory and swap fall by 80.0MiB a second and reach the floor 50.0MiB in 500ms"},
		"act": {&linux, with(func(v *Verdict) { v.Act, v.Reason, v.Facts.Available = true, LowAvailable, 10*mib }),
			"critical: low_available, available 10.0MiB is below the floor 50.0MiB and there is no swap"},
		"shed": {&android, with(func(v *Verdict) {
			v.Act, v.Reason, v.Facts.Floor, v.Facts.Mark, v.Facts.Low = true, LowMem, 0, BelowLow, 5*mib
		}), "medium: free 0B is below low 5.0MiB"},
		"target": {&Policy{Strategy: ByMinfree}, with(func(v *Verdict) {
			v.Act, v.Reason, v.Facts.Floor, v.Facts.Target = true, LowMinfree, 0, 72*mib
		}), "medium: free beyond the high marks 0B is below the target 72.0MiB and file cache 0B is below it too, 72.0MiB"},
		"android":      {&android, with(func(v *Verdict) { v.Facts.Floor = 0 }), "low: the kernel reclaims or tasks wait, and 200MiB of 1.0GiB is available"},
		"android half": {&android, with(func(v *Verdict) { v.Facts.Floor, v.Facts.Available = 0, 501*mib }), "none: memory to spare, 501MiB of 1.0GiB is available"},
	} {
		if got := c.v.Grade(c.p); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, c.want)
		}
	}
	v := with(func(v *Verdict) { v.Event = LevelMedium })
	if n := testing.AllocsPerRun(100, func() { v.Level(&linux) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
