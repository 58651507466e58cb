package engine

import (
	"testing"

	"github.com/lmkd/lmkd/pkg/pressure"
)

// What lies in zram costs what zram takes; what lies on a disk counts whole.
func TestSwapSaved(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		used, original, cost uint64
		want                 uint16
	}{
		{0, 0, 0, 0},
		{100 * mib, 0, 0, 0},
		{100 * mib, 100 * mib, 34 * mib, 660},
		{200 * mib, 100 * mib, 34 * mib, 330}, // half of it on a disk
		{100 * mib, 100 * mib, 120 * mib, 0},  // does not compress at all
		{50 * mib, 100 * mib, 0, 1000},        // zram holds what is swapped in again, too
	} {
		s := pressure.Sample{Has: pressure.HasZram, Zram: pressure.Zram{Original: c.original, MemUsed: c.cost}}
		s.Memory.SwapTotal, s.Memory.SwapFree = 400*mib, 400*mib-c.used
		if got := swapSaved(&s); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
		if s.Has = 0; swapSaved(&s) != 0 {
			t.Errorf("%+v: without zram %d", c, swapSaved(&s))
		}
	}
}
