package taskiter

import (
	"os"
	"strconv"
	"testing"

	"github.com/lmkd/lmkd/internal/sys"
)

func open(t testing.TB) *Iter {
	t.Helper()
	it, err := Open()
	if err != nil {
		t.Skipf("NOT TESTED: %v: %s", err, Cure)
	}
	t.Cleanup(func() {
		if err := it.Close(); err != nil {
			t.Error(err)
		}
	})
	return it
}

// pass gives the pids of one pass, in its order.
func pass(t testing.TB, it *Iter) (pids []int32) {
	t.Helper()
	fd, e := it.Begin()
	if e != 0 {
		t.Fatal(e)
	}
	defer func() { _ = fd.Close() }()
	buf := make([]byte, 16*Size)
	for {
		n, e := sys.Read(fd.Int(), buf)
		if e != 0 {
			t.Fatal(e)
		}
		if n == 0 {
			return pids
		}
		for task, rest := Next(buf[:n]); task != nil; task, rest = Next(rest) {
			pids = append(pids, task.PID)
		}
	}
}

// A pass meets everybody that /proc lists before and after it, kernel threads
// included, and nobody twice. Some machines let nobody look at their init.
func TestPassMeetsEverybody(t *testing.T) {
	it := open(t)
	before := listed(t)
	met := map[int32]bool{}
	last := int32(0)
	for _, pid := range pass(t, it) {
		if pid <= last {
			t.Errorf("%d after %d", pid, last)
		}
		last = pid
		met[pid] = true
	}
	after := listed(t)
	n := 0
	for pid := range before {
		if pid > 1 && after[pid] && !met[pid] {
			t.Errorf("%d was not met", pid)
		}
		if met[pid] {
			n++
		}
	}
	t.Logf("%d of %d", n, len(before))
}

func listed(t *testing.T) map[int32]bool {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	out := map[int32]bool{}
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			out[int32(pid)] = true
		}
	}
	return out
}
