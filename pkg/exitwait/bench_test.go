package exitwait

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/internal/sys/systest"
)

// BenchmarkExitToNotified measures how long after a stranger goes to exit a
// waiter knows: for each backend, and for the loop that looks every 10 ms. The
// stranger notes the time right before its last system call.
func BenchmarkExitToNotified(b *testing.B) {
	for _, c := range []struct {
		name string
		opts []Option
	}{
		{"pidfd", []Option{With(Pidfd)}},
		{"connector", []Option{With(Connector)}},
		{"ptrace", []Option{With(Ptrace)}},
		{"poll-1ms", []Option{With(Poll), Every(time.Millisecond)}},
		{"poll-10ms", []Option{With(Poll), Every(10 * time.Millisecond)}},
	} {
		b.Run(c.name, func(b *testing.B) {
			n := systest.New(b)
			var took []time.Duration
			for b.Loop() {
				phase := time.Duration(len(took)) * 6180 * time.Microsecond % (10 * time.Millisecond)
				took = append(took, exitToNotified(b, n, c.opts, phase))
			}
			slices.Sort(took)
			b.ReportMetric(micro(took[len(took)/2]), "p50-µs")
			b.ReportMetric(micro(took[len(took)*99/100]), "p99-µs")
		})
	}
}

func micro(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// exitToNotified lets one stranger exit at the given phase of a poll's interval,
// when the waiter blocks in the kernel.
func exitToNotified(b *testing.B, n *systest.Nursery, opts []Option, phase time.Duration) time.Duration {
	b.Helper()
	pid := n.Fork()
	p, err := Open(pid, opts...)
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	at := make(chan time.Duration)
	p.Done() // the watching has begun
	go func() {
		_, _ = p.Wait(context.Background())
		at <- sys.Now()
	}()
	<-time.After(phase)
	n.Exit(pid, 0)
	known := <-at
	n.Reap(pid)
	return known - n.Stamp(pid)
}

// BenchmarkTracedSignal is what tracing costs the target: a signal to its
// leader, sent and taken by the target itself, with a tracer and without.
func BenchmarkTracedSignal(b *testing.B) {
	for _, traced := range []bool{false, true} {
		name := map[bool]string{false: "alone", true: "traced"}[traced]
		b.Run(name, func(b *testing.B) {
			n := systest.New(b)
			pid, _ := n.Program()
			if traced {
				p, err := Open(pid, With(Ptrace))
				if err != nil {
					b.Fatal(err)
				}
				defer p.Close()
			}
			took := n.Signals(pid, 10_000)
			for b.Loop() { // what is measured is above, once
			}
			b.ReportMetric(micro(took)/10_000, "µs/signal")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkSet is the cost of one exit to a Set of a hundred.
func BenchmarkSet(b *testing.B) {
	n := systest.New(b)
	n.AutoReap()
	set, err := NewSet()
	if err != nil {
		b.Fatal(err)
	}
	defer set.Close()
	const crowd = 100
	processes := make([]Process, crowd)
	var out [256]*Process
	var took time.Duration
	events := 0
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		for i, pid := range n.Crowd(crowd) {
			if err := processes[i].Reset(pid); err != nil {
				b.Fatal(err)
			}
			if err := set.Add(&processes[i]); err != nil {
				b.Fatal(err)
			}
		}
		n.Release(crowd)
		for i := range processes { // all have exited before the clock runs
			_, _ = sys.PollFor(processes[i].Fd(), -1)
		}
		b.StartTimer()
		begin := sys.Now()
		for left := crowd; left > 0; {
			got, err := set.Wait(context.Background(), out[:])
			if err != nil {
				b.Fatal(err)
			}
			left -= got
		}
		took += sys.Now() - begin
		events += crowd
	}
	b.ReportMetric(float64(took)/float64(events), "ns/exit")
}
