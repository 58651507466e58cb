//go:build vm && full

package scenario

import (
	"os"
	"testing"
	"time"

	"github.com/lmkd/lmkd/test/vm/guest"
)

// comparedFor is how long a hog that nobody kills is measured.
const comparedFor = 2 * time.Minute

// The same hog, under earlyoom and under lmkd, in one guest: what tasks stalled
// until it was dead. The machine is emulated, so that only the ratio tells
// anything. With swap runs differ by a factor of three, and twice earlyoom's
// stalls are too many; without any, earlyoom's tenth of memory is reached before
// the kernel reclaims, nothing ever stalls, and what would have stopped there is
// dead as well.
func TestStallsBesideEarlyoom(t *testing.T) {
	for _, h := range []string{"leak", "bomb", "thrash"} {
		t.Run(h, func(t *testing.T) {
			early := compared(t, h, func() *guest.Process {
				p, err := guest.Program(os.Stderr, -100, "/usr/bin/earlyoom", "-r", "0")
				if err != nil {
					t.Fatal(err)
				}
				guest.Until(3*time.Second, func() bool { return !p.Alive() })
				return p
			})
			ours := compared(t, h, func() *guest.Process { return startDaemon(t).Process })
			t.Logf("%s: full stall %v under earlyoom, %v under lmkd, ratio %.3f", h, early, ours, ours.Seconds()/max(early.Seconds(), 1e-6))
			if ours > 2*early && swapFree(t) > 0 {
				t.Errorf("%s stalls more than twice as long under lmkd", h)
			}
		})
	}
}

func compared(t *testing.T, name string, guard func() *guest.Process) time.Duration {
	d := guard()
	defer d.Kill()
	before := mark(t)
	h := hog(t, name, name)
	guest.Until(comparedFor, func() bool { return !h.Alive() })
	dead := mark(t)
	stalled := dead.Stalled(before)
	t.Logf("%s under %s: %s after %v, full stall %v, some stall %v, swap free %d MB, kernel OOM kills %d",
		name, d.Name, h.Fate(), dead.At-before.At, stalled.Full, stalled.Some, swapFree(t), dead.OOMKills-before.OOMKills)
	h.Kill()
	guest.Until(patience, func() bool { return mark(t).Available > before.Available*9/10 })
	_ = d.Terminate()
	if err := d.WaitExit(patience); err != nil {
		t.Fatal(err)
	}
	return stalled.Full
}

func swapFree(t *testing.T) uint64 {
	n, err := guest.SwapFree()
	if err != nil {
		t.Fatal(err)
	}
	return n >> 20
}
