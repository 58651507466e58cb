package memevent

import (
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
)

// BenchmarkPrograms gives the kernel's own account of what one event costs
// (BPF_ENABLE_STATS, Linux 5.8): metric ns/event. Half of it or more is the
// account itself, which reads the clock twice: nothing, a program that only
// returns, shows how much. The unarmed direct reclaim pair is what a thrashing
// machine pays for, over and over.
func BenchmarkPrograms(b *testing.B) {
	s := newBench(b)
	nothing, err := load(ebpf.RawTracepoint, "lmkd", asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()})
	if err != nil {
		b.Fatal(err)
	}
	defer nothing.Close()
	for _, bb := range []struct {
		name string
		arm  Kinds
		prog *ebpf.Program
	}{
		{"nothing", 0, nothing},
		{"unarmed/kswapd_wake", 0, s.wake},
		{"unarmed/kswapd_sleep", 0, s.sleep},
		{"unarmed/direct_begin", 0, s.begin},
		{"unarmed/direct_end", 0, s.end},
		{"armed/direct_begin", DirectReclaim, s.begin},
		{"armed/mark_victim", 0, s.mark},
	} {
		b.Run(bb.name, func(b *testing.B) {
			stats, err := ebpf.EnableStats(bpfStatsRunTime)
			if err != nil {
				b.Fatal(err)
			}
			defer stats.Close()
			time0, count0 := spent(b, bb.prog)
			for b.Loop() {
				s.Arm(bb.arm, 0, 0)
				run(b, bb.prog, 0)
				_ = s.Drain()
			}
			time1, count1 := spent(b, bb.prog)
			b.ReportMetric(float64(time1-time0)/float64(count1-count0), "ns/event")
		})
	}
}

// bpfStatsRunTime is BPF_STATS_RUN_TIME.
const bpfStatsRunTime = 0

// spent gives the nanoseconds and the number of runs of a program so far.
func spent(t testing.TB, p *ebpf.Program) (ns, runs uint64) {
	t.Helper()
	info, err := p.Stats()
	if err != nil {
		t.Fatal(err)
	}
	return uint64(info.Runtime), info.RunCount
}
