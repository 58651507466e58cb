//go:build vm

package cgroups

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// More changes than the kernel's queue holds: everything is looked at.
func TestOverflow(t *testing.T) {
	limit := 0
	text, err := os.ReadFile("/proc/sys/fs/inotify/max_queued_events")
	if err != nil {
		t.Skip(err)
	}
	if _, err = fmt.Sscan(string(text), &limit); err != nil || limit > 50000 {
		t.Skip("queue of", limit, err)
	}
	s := newScene(t, "/x/keep*")
	s.made("/x/keep1", "/x/keep2")
	s.expect(s.Scan, "+/x/keep1", "+/x/keep2")
	for range limit/2 + 1 {
		if os.Mkdir(filepath.Join(s.root, "x", "noise"), 0o755) != nil || os.Remove(filepath.Join(s.root, "x", "noise")) != nil {
			t.Fatal("no noise")
		}
	}
	s.removed("/x/keep1")
	s.made("/x/keep3")
	s.expect(s.Changes, "-/x/keep1", "+/x/keep3")
}
