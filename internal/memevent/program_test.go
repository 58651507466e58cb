package memevent

import (
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"github.com/lmkd/lmkd/internal/sys"
)

// bench is a Source whose programs are attached to nothing and run only when
// called (BPF_PROG_TEST_RUN, Linux 5.10), so that no event of the machine
// interferes. It needs CAP_BPF and CAP_PERFMON.
type bench struct {
	*Source
	wake, sleep, begin, end, mark *ebpf.Program
}

func newBench(t testing.TB) *bench {
	t.Helper()
	b := &bench{Source: &Source{ownPIDs: sys.InitialPIDNamespace()}}
	if err := b.openMaps(); err != nil {
		t.Fatal(err)
	}
	p := programs{b.state.FD(), b.bell.FD()}
	must := func(ins asm.Instructions) *ebpf.Program {
		prog, err := load(ebpf.RawTracepoint, "lmkd", ins)
		if err != nil {
			t.Fatal(explain("load BPF program", err))
		}
		b.attached = append(b.attached, prog)
		return prog
	}
	b.wake, b.sleep = must(p.kswapdWake()), must(p.kswapdSleep())
	b.begin, b.end = must(p.directBegin()), must(p.directEnd())
	b.mark = must(p.markVictim())
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// run calls a program in the calling thread with the tracepoint's arguments.
func run(t testing.TB, p *ebpf.Program, args ...uint64) {
	t.Helper()
	if _, err := p.Run(&ebpf.RunOptions{Context: append(args, 0)}); err != nil {
		t.Fatal(err)
	}
}

func (b *bench) ready(t testing.TB) bool {
	t.Helper()
	bits, e := sys.PollIn(b.Fd())
	if e != 0 {
		t.Fatal(e)
	}
	return bits&sys.In != 0
}

func TestKswapdPerNode(t *testing.T) {
	b := newBench(t)
	before := sys.Now()
	run(t, b.wake, 5)
	first := b.State()
	run(t, b.wake, 0)
	run(t, b.wake, 5)
	run(t, b.wake, maxNodes-1)
	both := b.State()
	if first.KswapdAwake != 1 || both.KswapdAwake != 3 || both.KswapdSince != first.KswapdSince {
		t.Errorf("after node 5: %+v, after 0, 5, and 1023: %+v", first, both)
	}
	if at := first.KswapdSince; at < before || at > sys.Now() {
		t.Errorf("kswapd awake since %v, want our clock's time after %v", at, before)
	}
	run(t, b.sleep, 5)
	if one := b.State(); one.KswapdAwake != 2 || one.KswapdSince <= first.KswapdSince {
		t.Errorf("after node 5 slept: %+v, want the others, later than %v", one, first.KswapdSince)
	}
	run(t, b.sleep, 0)
	run(t, b.sleep, maxNodes-1)
	run(t, b.sleep, 7)
	if got := b.State(); got != (State{}) {
		t.Errorf("after all slept: %+v", got)
	}
}

func TestDirectReclaimPerTask(t *testing.T) {
	b := newBench(t)
	task := func() (begin, end func()) { return inThread(t, b) }
	begin1, end1 := task()
	begin2, end2 := task()
	begin1()
	first := b.State()
	begin2()
	if got := b.State(); got.DirectReclaimers != 2 || got.OldestDirect != first.OldestDirect {
		t.Errorf("two tasks: %+v, the first: %+v", got, first)
	}
	end1()
	second := b.State()
	if second.DirectReclaimers != 1 || second.OldestDirect <= first.OldestDirect {
		t.Errorf("the first ended: %+v, want the second's later begin", second)
	}
	begin2() // its end was lost
	if got := b.State(); got.DirectReclaimers != 1 || got.OldestDirect <= second.OldestDirect {
		t.Errorf("the second began again: %+v, want one task, later than %v", got, second.OldestDirect)
	}
	end2()
	end2() // its begin was lost
	if got := b.State(); got != (State{}) {
		t.Errorf("both ended: %+v", got)
	}
}

// inThread gives functions that run the direct reclaim programs in a thread of
// their own, which lives until the test's end.
func inThread(t *testing.T, b *bench) (begin, end func()) {
	work, done := make(chan *ebpf.Program), make(chan struct{})
	go func() {
		runtime.LockOSThread() // never unlocked: the thread dies with us
		for p := range work {
			run(t, p)
			done <- struct{}{}
		}
	}()
	t.Cleanup(func() { close(work) })
	call := func(p *ebpf.Program) func() {
		return func() { work <- p; <-done }
	}
	return call(b.begin), call(b.end)
}

func TestDirectReclaimOverflow(t *testing.T) {
	b := newBench(t)
	for i := range b.shared.slots {
		b.shared.slots[i] = slot{tid: 1 << 40, since: 1}
	}
	run(t, b.begin)
	run(t, b.end)
	if got := b.State(); got.DirectReclaimers != len(b.shared.slots) || b.Overflowed() != 1 {
		t.Errorf("all slots taken: %+v, %d overflowed, want 1", got, b.Overflowed())
	}
	b.shared.slots = [len(b.shared.slots)]slot{}
	run(t, b.begin)
	if got := b.State(); got.DirectReclaimers != 1 || b.Overflowed() != 1 {
		t.Errorf("all slots free: %+v, %d overflowed, want still 1", got, b.Overflowed())
	}
}

func TestSweep(t *testing.T) {
	b := newBench(t)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	run(t, b.begin)
	want := b.State()
	b.shared.slots[7] = slot{tid: maxPID + 1, since: 1}
	b.ownPIDs = false
	if n := b.Sweep(); n != 0 || b.State().DirectReclaimers != 2 {
		t.Errorf("Sweep in a pid namespace: %d, %+v, want nothing touched", n, b.State())
	}
	b.ownPIDs = true
	if n := b.Sweep(); n != 1 || b.State() != want {
		t.Errorf("Sweep = %d, then %+v, want 1, %+v", n, b.State(), want)
	}
}

func TestNoAllocation(t *testing.T) {
	b := newBench(t)
	n := testing.AllocsPerRun(100, func() {
		b.Arm(Kswapd, 0, 0)
		_ = b.Drain()
		_ = b.State()
		_ = b.Sweep()
	})
	if n != 0 {
		t.Errorf("Arm, Drain, State and Sweep allocate %v times", n)
	}
}

func TestClosesEverything(t *testing.T) {
	before := maps(t)
	for range 3 {
		s, err := Open()
		if err != nil {
			t.Fatal(err)
		}
		if maps(t) == before {
			t.Error("an open source has no maps and no descriptors")
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if after := maps(t); after != before {
		t.Errorf("%d BPF maps and descriptors before, %d after", before, after)
	}
}

// maps counts our own mappings of and descriptors for BPF objects.
func maps(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	n := strings.Count(string(text), "bpf-map") + strings.Count(string(text), "bpf_")
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if to, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && strings.Contains(to, "bpf") {
			n++
		}
	}
	return n
}

func BenchmarkState(b *testing.B) {
	s := newBench(b)
	b.ReportAllocs()
	for b.Loop() {
		_ = s.State()
	}
}

func BenchmarkArmDrain(b *testing.B) {
	s := newBench(b)
	b.ReportAllocs()
	for b.Loop() {
		s.Arm(Kswapd, 0, 0)
		_ = s.Drain()
	}
}
