//go:build vm

// These tests need a whole machine under pressure, and so the guest of test/vm.
package memevent

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cilium/ebpf"

	"github.com/lmkd/lmkd/internal/sys"
)

// guest is an open source in an epoll, and a file larger than memory.
type guest struct {
	*Source
	poll *sys.Epoll
	file string
	size int64
}

func newGuest(t *testing.T) *guest {
	t.Helper()
	total := int64(meminfo(t, "MemTotal:")) << 10
	if total > 4<<30 {
		t.Fatalf("this machine has %d MiB: run this in the guest of test/vm", total>>20)
	}
	s, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	poll, err := sys.NewEpoll(1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = s.Close(), poll.Close() })
	if e := poll.Add(s.Fd(), sys.In, 1); e != 0 {
		t.Fatal(e)
	}
	g := &guest{s, poll, t.TempDir() + "/holes", total + total/2}
	if err := os.WriteFile(g.file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(g.file, g.size); err != nil {
		t.Fatal(err)
	}
	return g
}

func meminfo(t testing.TB, key string) uint64 { return counter(t, "/proc/meminfo", key) }

// counter sums the lines of a file whose first word begins with key.
func counter(t testing.TB, file, key string) (sum uint64) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var n uint64
		if f := strings.Fields(line); len(f) > 1 && strings.HasPrefix(f[0], key) {
			if _, err := fmt.Sscan(f[1], &n); err != nil {
				t.Fatal(err)
			}
		}
		sum += n
	}
	return sum
}

// rounds and stalls are what the kernel itself counts of the same events.
func rounds(t testing.TB) uint64 { return counter(t, "/proc/vmstat", "pageoutrun") }
func stalls(t testing.TB) uint64 { return counter(t, "/proc/vmstat", "allocstall_") }

func (g *guest) stream(t testing.TB) { g.streamFrom(t, 0) }

// streamFrom reads the file once, from an offset to its end.
func (g *guest) streamFrom(t testing.TB, from int64) {
	f, err := os.Open(g.file)
	if err != nil {
		t.Error(err)
		return
	}
	defer f.Close()
	part := io.NewSectionReader(f, from, g.size-from)
	if _, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, part, make([]byte, 1<<20)); err != nil {
		t.Error(err)
	}
}

// wait gives what woke within a time that is long even for an emulated machine.
func (g *guest) wait(t *testing.T) (Wake, bool) {
	t.Helper()
	var events [1]sys.Event
	n, e := g.poll.Wait(events[:], int(3*time.Minute/time.Millisecond))
	if e != 0 {
		t.Fatal(e)
	}
	return g.Drain(), n == 1
}

// calm waits until nothing reclaims.
func (g *guest) calm(t *testing.T) State {
	t.Helper()
	var events [1]sys.Event
	deadline := sys.Now() + time.Minute
	for {
		st := g.State()
		if st.KswapdAwake == 0 && st.DirectReclaimers == 0 {
			return st
		}
		if sys.Now() > deadline {
			t.Fatalf("a minute after the load the state is still %+v", st)
		}
		_, _ = g.poll.Wait(events[:], 100)
		_ = g.Drain()
	}
}

// TestStreamWakesOnce: streaming a file wakes kswapd, which wakes us once for
// each Arm, however often kswapd goes to work; afterwards nothing is left over.
func TestStreamWakesOnce(t *testing.T) {
	g := newGuest(t)
	from := sys.Now()
	g.Arm(Kswapd|DirectReclaim, 0, 0)
	done := make(chan struct{})
	go func() { defer close(done); g.stream(t) }()
	first, ok := g.wait(t)
	st := g.State()
	if !ok || first.Kinds&(Kswapd|DirectReclaim) == 0 || first.At < from {
		t.Errorf("streaming: %+v, state %+v, want a wake after %v", first, st, from)
	}
	<-done
	before := rounds(t)
	g.stream(t)
	g.stream(t)
	n := rounds(t) - before
	if w := g.Drain(); w != (Wake{}) || n == 0 {
		t.Errorf("%d rounds of kswapd without Arm: %+v", n, w)
	}
	g.calm(t)
	g.Arm(Kswapd, 0, 0)
	g.stream(t)
	second, ok := g.wait(t)
	if !ok || second.Kinds != Kswapd || second.At <= first.At {
		t.Errorf("armed again: %+v, want kswapd after %v", second, first.At)
	}
	t.Logf("first %+v with %+v, then %d rounds of kswapd and no wake, then %+v", first, st, n, second)
	t.Logf("calm: %+v, %d overflowed", g.calm(t), g.Overflowed())
}

// TestDirectReclaimEnds makes tasks reclaim for themselves, by reading with a
// better priority than kswapd's, and expects them to be seen, and none to be left.
func TestDirectReclaimEnds(t *testing.T) {
	g := newGuest(t)
	var stop atomic.Bool
	var tasks sync.WaitGroup
	before := stalls(t)
	g.Arm(DirectReclaim, 0, 0)
	for i := range int64(4) {
		tasks.Go(func() {
			runtime.LockOSThread() // never unlocked: the priority dies with the thread
			if err := sys.SetNice(-20); err != nil {
				t.Error(err)
			}
			for !stop.Load() {
				g.streamFrom(t, g.size/4*i)
			}
		})
	}
	wake, ok := g.wait(t)
	most := 0
	for deadline := sys.Now() + time.Minute; most == 0 && sys.Now() < deadline; {
		most = g.State().DirectReclaimers
	}
	stop.Store(true)
	tasks.Wait()
	n := stalls(t) - before
	st := g.calm(t)
	t.Logf("%d direct reclaims, %d tasks at once, wake %+v, then %+v", n, most, wake, st)
	if !ok || wake.Kinds != DirectReclaim || n == 0 || most == 0 {
		t.Errorf("%d direct reclaims, %d tasks seen in it, wake %+v", n, most, wake)
	}
	if g.Overflowed() != 0 || st.OOMKills != 0 {
		t.Errorf("%d overflowed, %+v", g.Overflowed(), st)
	}
}

// TestCostOfStreaming reads the file with and without programs attached, in
// turns, and counts the events: nothing is asserted about time, all is told.
func TestCostOfStreaming(t *testing.T) {
	g := newGuest(t)
	g.stream(t)
	var off, on []time.Duration
	var kswapd, direct uint64
	for range 3 {
		if err := g.Close(); err != nil {
			t.Fatal(err)
		}
		off = append(off, g.timed(t))
		s, err := Open()
		if err != nil {
			t.Fatal(err)
		}
		g.Source = s
		k, d := rounds(t), stalls(t)
		on = append(on, g.timed(t))
		kswapd, direct = kswapd+rounds(t)-k, direct+stalls(t)-d
		if w := g.Drain(); w != (Wake{}) {
			t.Errorf("woke without Arm: %+v", w)
		}
	}
	if kswapd == 0 {
		t.Error("kswapd never ran")
	}
	t.Logf("%d MiB, the best of 3: %v without programs, %v with, ratio %.3f; in 3 readings %d rounds of kswapd, %d direct reclaims\nwithout %v\nwith    %v",
		g.size>>20, slices.Min(off), slices.Min(on), float64(slices.Min(on))/float64(slices.Min(off)), kswapd, direct, off, on)
	g.account(t)
}

func (g *guest) timed(t testing.TB) time.Duration {
	from := sys.Now()
	g.stream(t)
	return sys.Now() - from
}

// account lets the kernel measure our programs during one more reading.
func (g *guest) account(t *testing.T) {
	stats, err := ebpf.EnableStats(bpfStatsRunTime)
	if err != nil {
		t.Fatal(err)
	}
	defer stats.Close()
	took := g.timed(t)
	var ns, runs uint64
	for _, c := range g.attached {
		if p, ok := c.(*ebpf.Program); ok {
			n, r := spent(t, p)
			ns, runs = ns+n, runs+r
		}
	}
	t.Logf("account: %d events in %v, %.0f a second, %d ns each, %.4f %% of the time",
		runs, took, float64(runs)/took.Seconds(), ns/max(runs, 1), 100*float64(ns)/float64(took))
}
