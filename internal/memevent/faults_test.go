package memevent

import (
	"testing"
	"time"

	"github.com/cilium/ebpf"

	"github.com/lmkd/lmkd/internal/sys"
)

// touchFresh faults in so many bytes and gives them back.
func touchFresh(t testing.TB, size int) {
	t.Helper()
	b, err := sys.MapPages(size)
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; at < len(b); at += int(sys.Pagesize()) {
		b[at] = 1
	}
	if err := sys.UnmapPages(b); err != nil {
		t.Fatal(err)
	}
}

// TestFaultsWake lets real faults pass a limit, and none pass one that is far.
func TestFaultsWake(t *testing.T) {
	s, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Faults(); err != nil {
		t.Fatal(err)
	}
	const far = 1 << 40
	from := s.State().Faulted
	s.Arm(Faults, 0, far)
	touchFresh(t, 64<<20)
	if grown := (s.State().Faulted - from) * uint64(sys.Pagesize()); grown < 60<<20 {
		t.Errorf("64 MB were touched, %d bytes counted", grown)
	}
	if w := s.Drain(); w.Kinds&Faults != 0 {
		t.Errorf("a far limit woke: %+v", w)
	}
	s.Arm(Faults, 0, 16<<20/uint64(sys.Pagesize()))
	began := sys.Now()
	touchFresh(t, 64<<20)
	if ready, e := sys.PollFor(s.Fd(), 1000); e != 0 || ready&sys.In == 0 {
		t.Errorf("64 MB touched of 16 MB allowed, and no wake: %v", e)
	}
	if w := s.Drain(); w.Kinds != Faults || w.At < began {
		t.Errorf("woken by %+v, want faults after %v", w, began)
	}
}

// TestFaultsBeforeTime: what passes the limit early wakes with the first step
// after its time, and a kind that was not armed never does.
func TestFaultsBeforeTime(t *testing.T) {
	b := newBench(t)
	prog, err := load(ebpf.RawTracepoint, "lmkd", programs{b.state.FD(), b.bell.FD()}.faults(faultStep))
	if err != nil {
		t.Fatal(err)
	}
	defer prog.Close()
	b.Arm(Faults, sys.Now()+time.Hour, 1)
	run(t, prog, 0)
	b.shared.notBefore = 0
	if b.ready(t) {
		t.Error("readable before its time")
	}
	run(t, prog, 0)
	if w := b.Drain(); w.Kinds != Faults {
		t.Errorf("woken by %+v, want faults", w)
	}
	b.Arm(Kswapd, 0, 0)
	run(t, prog, 0)
	if b.ready(t) || b.State().Faulted != 3*faultStep {
		t.Errorf("ready %v after %d pages, want 3 steps and no wake", b.ready(t), b.State().Faulted)
	}
}

// TestUserFaults counts on the tracepoint, where perf events are refused.
func TestUserFaults(t *testing.T) {
	b := newBench(t)
	if err := b.attachFaultTracepoint(programs{b.state.FD(), b.bell.FD()}); err != nil {
		t.Skip("no tracepoint of user faults here: ", err)
	}
	const far = 1 << 40
	b.Arm(Faults, 0, far)
	from := b.State().Faulted
	touchFresh(t, 64<<20)
	if grown := (b.State().Faulted - from) * uint64(sys.Pagesize()); grown < 60<<20 {
		t.Errorf("64 MB were touched, %d bytes counted", grown)
	}
	b.Arm(Faults, 0, 1)
	touchFresh(t, 64<<20)
	if !b.ready(t) || b.Drain().Kinds != Faults {
		t.Error("64 MB touched of one page allowed, and no wake")
	}
}

// BenchmarkFault is what a page fault costs while its like are counted, and
// without.
func BenchmarkFault(b *testing.B) {
	const size = 64 << 20
	for n, by := range []func(s *Source, p programs) error{nil, (*Source).attachFaultEvents, (*Source).attachFaultTracepoint} {
		b.Run(map[int]string{0: "alone", 1: "events", 2: "tracepoint"}[n], func(b *testing.B) {
			if by != nil {
				s := newBench(b)
				if err := by(s.Source, programs{s.state.FD(), s.bell.FD()}); err != nil {
					b.Fatal(err)
				}
			}
			for b.Loop() {
				touchFresh(b, size)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(size/float64(sys.Pagesize())), "ns/page")
		})
	}
}
