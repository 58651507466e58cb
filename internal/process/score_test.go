package process

import (
	"math/rand/v2"
	"testing"
)

// kernelScore is fs/proc/base.c's proc_oom_score in C's arithmetic.
func kernelScore(total, points uint64, adj int16) uint64 {
	badness := int64(points) + int64(adj)*int64(total/1000)
	return uint64((1000 + badness*1000/int64(total)) * 2 / 3)
}

// Whatever a process has, the hint is never below its swap, and not above by
// more than what a step of the score hides.
func TestSwapPages(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200_000 {
		m := machine{total: 1 + r.Uint64N(1<<r.UintN(30)), slack: slackPages(1 + r.IntN(8))}
		if m.total < 1000 {
			m.total += 1000
		}
		m.swapUsed = r.Uint64N(m.total)
		swap := r.Uint64N(m.swapUsed + 1)
		rss, tables := r.Uint64N(m.total-swap), r.Uint64N(1+m.total/100)
		adj := int16(r.IntN(2000) - 999)
		score := kernelScore(m.total, rss+swap+tables, adj)
		hint := m.swapPages(score, adj, rss)
		if hint < swap {
			t.Fatalf("%+v rss %d swap %d tables %d adj %d score %d: hint %d", m, rss, swap, tables, adj, score, hint)
		}
		if most := swap + tables + m.slack + 3*m.total/1000 + 1; score > 0 && hint > min(most, m.swapUsed) {
			t.Fatalf("%+v rss %d swap %d tables %d adj %d score %d: hint %d, want at most %d",
				m, rss, swap, tables, adj, score, hint, most)
		}
	}
}

func TestSwapPagesUnknown(t *testing.T) {
	m := machine{total: 1 << 20, swapUsed: 1000}
	for _, c := range []struct {
		score uint64
		adj   int16
		rss   uint64
	}{
		{0, 0, 10},   // a child of vfork
		{3, 0, 5000}, // a kernel before 5.9: the formula cannot give it
	} {
		if hint := m.swapPages(c.score, c.adj, c.rss); hint != m.swapUsed {
			t.Errorf("%+v: %d, want all of %d", c, hint, m.swapUsed)
		}
	}
}
