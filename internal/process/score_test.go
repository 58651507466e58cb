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

// Whatever a process has, the bound is never below it, and not above by more
// than what a step of the score hides.
func TestMemoryPages(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200_000 {
		m := machine{total: 1000 + r.Uint64N(1<<r.UintN(30)), slack: slackPages(1 + r.IntN(8))}
		has, tables := r.Uint64N(m.total), r.Uint64N(1+m.total/100)
		adj := int16(r.IntN(2000) - 999)
		score := kernelScore(m.total, has+tables, adj)
		bound, ok := m.memoryPages(score, adj)
		if !ok && score > 0 || ok && bound < has || ok && bound > has+tables+m.slack+3*m.total/1000+1 {
			t.Fatalf("%+v has %d, tables %d, adj %d, score %d: bound %d %v", m, has, tables, adj, score, bound, ok)
		}
	}
}

func TestMemoryPagesUnknown(t *testing.T) {
	m := machine{total: 1 << 20}
	for _, c := range []struct {
		score uint64
		adj   int16
	}{
		{0, 0}, // a child of vfork
		{3, 0}, // a kernel before 5.9: the formula cannot give it
	} {
		if pages, ok := m.memoryPages(c.score, c.adj); ok {
			t.Errorf("%+v: %d", c, pages)
		}
	}
}
