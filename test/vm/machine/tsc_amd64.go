package machine

import (
	"strconv"
	"time"

	"github.com/lmkd/lmkd/internal/sys"
)

// rdtsc reads the host's time stamp counter, which is what an emulated guest's
// counts by.
func rdtsc() uint64

// clockWords tell an emulated guest how fast its time stamp counter is. Left
// to itself it measures that against an emulated timer, and on a busy host it
// has come out with a clock that ran eighty times too fast.
func clockWords() []string {
	return []string{"tsc=reliable", "no_timer_check", "nowatchdog", "tsc_early_khz=" + strconv.Itoa(tscKHz(50*time.Millisecond))}
}

// tscKHz measures the counter over the time span.
func tscKHz(span time.Duration) int {
	t0, c0 := readBoth()
	time.Sleep(span)
	t1, c1 := readBoth()
	return int(float64(c1-c0) / (t1 - t0).Seconds() / 1000)
}

// readBoth reads the clock and the counter as close to each other as it gets
// in a few attempts.
func readBoth() (at time.Duration, count uint64) {
	best := time.Duration(1 << 62)
	for range 20 {
		before := sys.Now()
		c := rdtsc()
		after := sys.Now()
		if after-before < best {
			best, at, count = after-before, before+(after-before)/2, c
		}
	}
	return at, count
}
