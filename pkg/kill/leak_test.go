package kill_test

import (
	"context"
	"os"
	"runtime"
	"testing"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/internal/sys/systest"
	"github.com/lmkd/lmkd/pkg/exitwait"
	"github.com/lmkd/lmkd/pkg/kill"
)

// Ten thousand kills, and a thousand in an emulated guest, leave no descriptor, no goroutine and no thread behind:
// one in ten as one, the others step by step with reapers, as a loop does.
func TestTenThousandKills(t *testing.T) {
	const batch = 50
	n := systest.New(t)
	n.AutoReap()
	r := reapers(t, 2)
	wave := func(count int) {
		for i, pid := range n.Crowd(count) {
			if i%10 == 0 {
				killedOne(t, pid)
			} else {
				killedStepByStep(t, pid, r)
			}
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

func killedOne(t *testing.T, pid int) {
	t.Helper()
	p, err := exitwait.Open(pid)
	if err != nil {
		t.Fatal(err)
	}
	out, err := kill.Kill(context.Background(), p, kill.Expedited(patience))
	if err != nil || out.Fate != kill.Gone || !out.Signal.OK() {
		t.Fatalf("%v: %+v", err, out)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
}

func killedStepByStep(t *testing.T, pid int, r *kill.Reapers) {
	t.Helper()
	p, err := exitwait.Open(pid)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	v, err := kill.Open(p)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if s := v.Signal(sys.SIGKILL); !s.OK() {
		t.Fatal(s.Errno)
	}
	if e := r.Hand(kill.Job{Pidfd: p.Fd(), Token: uint64(pid), Boost: true}); e != 0 {
		t.Fatal(e)
	}
	if _, err := v.Wait(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := collect(t, r); got.Token != uint64(pid) {
		t.Fatalf("token %d, want %d", got.Token, pid)
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
