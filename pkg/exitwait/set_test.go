package exitwait

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/lmkd/lmkd/internal/sys/systest"
)

// crowdSize is how many sleepers there is room for, at most want: a sleeper
// costs 150 KiB here.
func crowdSize(t testing.TB, want int) int {
	t.Helper()
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		t.Fatal(err)
	}
	var kib int
	_, rest, _ := strings.Cut(string(text), "MemAvailable:")
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		t.Fatal(err)
	}
	if raceEnabled { // its shadow memory makes each fork dear
		want = min(want, 500)
	}
	return min(want, kib/400)
}

func TestSetReportsEachExitOnce(t *testing.T) {
	n := systest.New(t)
	set, err := NewSet()
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	open := map[*Process]int{}
	for i := range 20 {
		pid := n.Fork()
		p, err := Open(pid)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		if err := errors.Join(set.Add(p), set.Add(p)); err != nil {
			t.Fatal(err)
		}
		n.Exit(pid, i)
		open[p] = i
	}
	if set.Len() != 20 {
		t.Errorf("%d members, want 20", set.Len())
	}
	for len(open) > 0 {
		var out [3]*Process
		got, err := set.Wait(context.Background(), out[:])
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range out[:got] {
			want, waited := open[p]
			if exit, err := p.TryWait(); !waited || err != nil || exit.Code() != want {
				t.Errorf("%v, %v, waited for %v; want exit code %d", exit, err, waited, want)
			}
			delete(open, p)
		}
	}
	if set.Len() != 0 {
		t.Errorf("%d members left", set.Len())
	}
}

func TestSetForgetsWhoIsRemoved(t *testing.T) {
	n := systest.New(t)
	set, err := NewSet()
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	gone, stays := n.Fork(), n.Fork()
	p, err := Open(gone)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	q, err := Open(stays)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	if err := errors.Join(set.Add(p), set.Add(q)); err != nil {
		t.Fatal(err)
	}
	set.Remove(p)
	set.Remove(p)
	n.Exit(gone, 0)
	n.Reap(gone)
	n.Exit(stays, 0)
	var out [2]*Process
	if got, err := set.Wait(context.Background(), out[:]); err != nil || got != 1 || out[0] != q {
		t.Errorf("%d %v, %v; want only the one that stays", got, out, err)
	}
	if err := set.Add(new(Process)); err != ErrClosed {
		t.Errorf("Add of a closed process: %v", err)
	}
}

func TestSetWaitEndsWithItsContext(t *testing.T) {
	set, err := NewSet()
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	for range 100 {
		ctx, cancel := context.WithCancel(context.Background())
		go cancel()
		if n, err := set.Wait(ctx, make([]*Process, 1)); n != 0 || err != context.Canceled {
			t.Fatalf("%d, %v; want context.Canceled", n, err)
		}
	}
}

// TestTenThousandProcesses waits for 10,000 with one thread. Descriptors and
// memory permitting: a small guest has room for fewer.
func TestTenThousandProcesses(t *testing.T) {
	count := crowdSize(t, 10_000)
	if err := systest.RaiseFileLimit(count + 100); err != nil {
		t.Fatal(err)
	}
	n := systest.New(t)
	n.AutoReap()
	set, err := NewSet()
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	processes := make([]Process, count)
	threads := threadCount(t)
	for i, pid := range n.Crowd(count) {
		if err := processes[i].Reset(pid); err != nil {
			t.Fatal(err)
		}
		if err := set.Add(&processes[i]); err != nil {
			t.Fatal(err)
		}
	}
	n.Release(count)
	var out [256]*Process
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for left := count; left > 0; {
		got, err := set.Wait(context.Background(), out[:])
		if err != nil {
			t.Fatal(err)
		}
		left -= got
	}
	runtime.ReadMemStats(&after)
	if n := after.Mallocs - before.Mallocs; n > 100 && !raceEnabled {
		t.Errorf("%d allocations for %d exits", n, count)
	}
	if more := threadCount(t) - threads; more > 1 {
		t.Errorf("%d more threads", more)
	}
	for i := range processes {
		if _, err := processes[i].TryWait(); err != nil {
			t.Fatalf("process %d: %v", processes[i].PID(), err)
		}
		_ = processes[i].Close()
	}
	t.Logf("%d processes", count)
}

func threadCount(t *testing.T) int {
	t.Helper()
	n, ok := statusField(os.Getpid(), "\nThreads:\t")
	if !ok {
		t.Fatal("status has no Threads")
	}
	return n
}
