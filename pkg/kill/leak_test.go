package kill_test

import (
	"context"
	"os"
	"runtime"
	"testing"

	"github.com/lmkd/lmkd/internal/sys/systest"
	"github.com/lmkd/lmkd/pkg/exitwait"
	"github.com/lmkd/lmkd/pkg/kill"
)

// Ten thousand kills leave no descriptor, no goroutine and no thread behind.
func TestTenThousandKills(t *testing.T) {
	const kills, batch = 10_000, 50
	n := systest.New(t)
	n.AutoReap()
	o := kill.Expedited(patience)
	wave := func(count int) {
		for _, pid := range n.Crowd(count) {
			killedOne(t, pid, o)
		}
	}
	wave(batch) // makes what stays: the wait's thread, the pool of idle ones
	fd, goroutines, threads := fds(t), runtime.NumGoroutine(), threads(t)
	for range kills / batch {
		wave(batch)
	}
	until(t, func() bool { return runtime.NumGoroutine() <= goroutines })
	if now := fds(t); now > fd {
		t.Errorf("%d descriptors before, %d after", fd, now)
	}
	until(t, func() bool { return threadCount() <= threads+4 })
}

func killedOne(t *testing.T, pid int, o kill.Options) {
	t.Helper()
	p, err := exitwait.Open(pid)
	if err != nil {
		t.Fatal(err)
	}
	out, err := kill.Kill(context.Background(), p, o)
	if err != nil || out.Fate != kill.Gone || !out.Signal.OK() {
		t.Fatalf("%v: %+v", err, out)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
}

func threads(t *testing.T) int {
	t.Helper()
	n := threadCount()
	if n == 0 {
		t.Fatal("no /proc/self/task")
	}
	return n
}

func threadCount() int {
	entries, _ := os.ReadDir("/proc/self/task")
	return len(entries)
}
