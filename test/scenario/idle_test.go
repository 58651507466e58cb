//go:build vm

package scenario

import (
	"testing"
	"time"

	"github.com/lmkd/lmkd/test/vm/guest"
)

// idleFor is how long a resting daemon is watched from outside.
const idleFor = 3 * time.Minute

// At rest no timer of ours runs: what switches remain are the Go runtime's own.
func TestIdle(t *testing.T) {
	d := start(t, "run")
	guest.Until(20*time.Second, func() bool { return !d.Alive() }) // what the start left to do
	before := switches(t, d.PID)
	guest.Until(idleFor, func() bool { return !d.Alive() })
	made := switches(t, d.PID) - before
	rss, err := guest.Resident(d.PID)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("idle: %d context switches in %v on all threads, resident %d kB", made, idleFor, rss>>10)
	if limit := uint64(2 * idleFor / time.Minute); made > limit {
		t.Errorf("%d context switches in %v, want at most %d", made, idleFor, limit)
	}
}

func switches(t *testing.T, pid int) uint64 {
	t.Helper()
	n, err := guest.Switches(pid)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
