package taskwatch

import (
	"context"
	"testing"
	"time"

	"github.com/lmkd/lmkd/internal/sys/systest"
)

// BenchmarkFork is the worry of 2006: what watching does to the rate of forks.
// A process vforks, reaps, and vforks again, in turn with no watcher and with
// each kind of watcher, so that all see the same machine; the best turn of each
// counts.
func BenchmarkFork(b *testing.B) {
	modes := []struct {
		name  string
		kinds Kind
	}{
		{"unwatched", 0}, {"exec", Exec}, {"exit", Exit}, {"free", Exit | Free}, {"everything", All &^ Free},
	}
	const turn = 500
	best := make([]time.Duration, len(modes))
	n := systest.New(b)
	lost := 0
	for b.Loop() {
		for i, mode := range modes {
			stop := consume(b, mode.kinds, &lost)
			took := n.Forks(turn) / turn
			stop()
			if best[i] == 0 || took < best[i] {
				best[i] = took
			}
		}
	}
	for i, mode := range modes {
		b.ReportMetric(float64(time.Second)/float64(best[i]), mode.name+"-forks/s")
	}
	b.ReportMetric(float64(lost), "losses")
	b.ReportMetric(0, "ns/op")
}

// consume reads events until the function that it gives is called.
func consume(b *testing.B, kinds Kind, lost *int) (stop func()) {
	b.Helper()
	if kinds == 0 {
		return func() {}
	}
	w, err := Watch(Config{Kinds: kinds})
	if err != nil {
		b.Fatal(err)
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		var batch [64]Event
		for {
			n, err := w.Read(context.Background(), batch[:])
			if err != nil {
				return
			}
			for i := range batch[:n] {
				if batch[i].Kind == Lost {
					*lost++
				}
			}
		}
	}()
	return func() {
		_ = w.Close()
		<-over
	}
}

// BenchmarkEvent is the way of an event from the hub through a queue to a
// reader.
func BenchmarkEvent(b *testing.B) {
	w := &Watcher{kinds: All, ring: make([]Event, 8), wake: make(chan struct{}, 1), closed: make(chan struct{})}
	h := hub{watchers: []*Watcher{w}}
	out := make([]Event, 8)
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		ev := Event{Kind: Exec, PID: 1, TGID: 1}
		h.tell(&ev)
		if _, err := w.Read(ctx, out); err != nil {
			b.Fatal(err)
		}
	}
}
