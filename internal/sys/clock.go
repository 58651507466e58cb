package sys

import (
	"time"

	"golang.org/x/sys/unix"
)

// Now gives CLOCK_MONOTONIC: time since boot without suspend, the clock of
// every decision and record, and the one of BPF's ktime.
func Now() time.Duration { return clock(unix.CLOCK_MONOTONIC) }

// SinceBoot gives CLOCK_BOOTTIME: time since boot with suspend, the clock of a
// process's start time.
func SinceBoot() time.Duration { return clock(unix.CLOCK_BOOTTIME) }

func clock(id int32) time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(id, &ts); err != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}
