package systest

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// CPUTime gives the CPU time of a process, or with 0 of the calling thread, to
// the nanosecond (clock_getcpuclockid(3)).
func CPUTime(tb testing.TB, pid int) time.Duration {
	tb.Helper()
	id := int32(unix.CLOCK_THREAD_CPUTIME_ID)
	if pid > 0 {
		id = ^int32(pid)<<3 | 2 // CPUCLOCK_SCHED
	}
	var ts unix.Timespec
	if err := unix.ClockGettime(id, &ts); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(ts.Nano())
}
