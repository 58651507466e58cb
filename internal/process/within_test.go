package process

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/lmkd/lmkd/pkg/victim"
)

// box writes a cgroup with its processes, in a directory that stands for one.
func box(t *testing.T, dir string, pids ...int) string {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	text := ""
	for _, pid := range pids {
		text += fmt.Sprintln(pid)
	}
	if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func chosenWithin(t *testing.T, table *Table, dir string) []int32 {
	t.Helper()
	s, err := table.Subtree(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ask := linux()
	ask.Within = s
	var out []int32
	ask.Policy.MinGain = 0
	for range 2 { // the buffers are used again
		found, _, err := table.Candidates(ask)
		if err != nil {
			t.Fatal(err)
		}
		out = out[:0]
		for i := range found {
			if ask.Policy.Excluded(&ask.Query, &found[i]) == victim.Eligible {
				out = append(out, found[i].PID)
			}
		}
	}
	if n := testing.AllocsPerRun(5, func() { _, _, _ = table.Candidates(ask) }); n != 0 {
		t.Errorf("%v allocations in a choice", n)
	}
	slices.Sort(out)
	return out
}

// A choice within a cgroup sees the processes in it and below it, and nobody
// else, however large.
func TestWithin(t *testing.T) {
	root := build(t,
		task{pid: 10, anon: 50, name: "hog"}, task{pid: 11, anon: 5, name: "friend"},
		task{pid: 12, anon: 70, name: "deep"}, task{pid: 13, anon: 900, name: "outside"},
		task{pid: 14, anon: 60, adj: -1000, name: "protected"},
	)
	table := open(t, root, Options{})
	dir := box(t, filepath.Join(t.TempDir(), "user.slice"), 10, 14, 4711)
	box(t, filepath.Join(dir, "a.service"), 11)
	box(t, filepath.Join(dir, "b.slice", "c", "d"), 12)
	if err := os.Mkdir(filepath.Join(dir, "threaded"), 0o755); err != nil { // without a readable cgroup.procs
		t.Fatal(err)
	}
	if got := chosenWithin(t, table, dir); !slices.Equal(got, []int32{10, 11, 12}) {
		t.Errorf("chosen among %v", got)
	}
	if got := chosenWithin(t, table, filepath.Join(dir, "b.slice")); !slices.Equal(got, []int32{12}) {
		t.Errorf("below b.slice: chosen among %v", got)
	}
}

// A long list comes in several reads, and in any order.
func TestWithinManyProcesses(t *testing.T) {
	root := build(t, task{pid: 10, anon: 50})
	table := open(t, root, Options{})
	var pids []int
	for pid := 40000; pid > 0; pid -= 40 {
		pids = append(pids, pid)
	}
	s, err := table.Subtree(box(t, filepath.Join(t.TempDir(), "many"), pids...))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	table.dirents = table.dirents[:7] // shorter than a line or two
	if err := table.scanWithin(s); err != nil || len(table.pids) != len(pids) || table.pids[0] != 40 || table.pids[len(pids)-1] != 40000 {
		t.Errorf("%d pids, %v", len(table.pids), err)
	}
}
