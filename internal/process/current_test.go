package process

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/victim"
)

// surveyed is a table of many steady processes that has been surveyed.
func surveyed(t *testing.T) (*Table, string, Ask, *int) {
	t.Helper()
	tasks := []task{{pid: 10, anon: 300, name: "hog"}}
	for pid := 100; pid < 300; pid++ {
		tasks = append(tasks, task{pid: pid, anon: 20})
	}
	root := build(t, tasks...)
	table := open(t, root, Options{Finalists: 16})
	reads := new(int)
	table.read = func(dir int, path []byte, off int64, buf []byte) (int, sys.Errno) {
		*reads++
		return readFile(dir, path, off, buf)
	}
	ask := linux()
	ask.Policy.GrowthWeight, ask.Now, ask.Available, ask.Surveyed = 4, time.Hour, 100*mib, true
	if err := table.Survey(ask); err != nil {
		t.Fatal(err)
	}
	return table, root, ask, reads
}

// A choice from a current table reads few, and chooses as a cold one.
func TestCurrentTable(t *testing.T) {
	table, root, ask, reads := surveyed(t)
	*reads = 0
	grow(t, root, task{pid: 10, anon: 340, name: "hog"})
	grow(t, root, task{pid: 301, anon: 30, name: "new"})
	if err := os.RemoveAll(filepath.Join(root, "proc/100")); err != nil {
		t.Fatal(err)
	}
	ask.Available = 40 * mib
	found, stats := choose(t, table, ask)
	if winner(found, ask) != 10 || !stats.Remembered || stats.Seen != 201 {
		t.Errorf("winner %d, %+v", winner(found, ask), stats)
	}
	if *reads > 300 {
		t.Errorf("%d files read, of 201 processes that were known", *reads)
	}
	ask.Now += currentFor + time.Second
	if _, stats = choose(t, table, ask); stats.Remembered {
		t.Error("rows that are too old were believed")
	}
}

// Memory went, and nobody who was read has it: all are read.
func TestCurrentTableMustExplain(t *testing.T) {
	table, root, ask, _ := surveyed(t)
	grow(t, root, task{pid: 250, anon: 900, name: "sudden"})
	ask.Available = 0
	ask.Policy.GrowthWeight = 0
	table.current.available = 900 * mib
	found, stats := choose(t, table, ask)
	if winner(found, ask) != 250 || stats.Remembered {
		t.Errorf("winner %d, %+v", winner(found, ask), stats)
	}
}

// Slices come round, and find who has grown.
func TestRefresh(t *testing.T) {
	table, root, ask, _ := surveyed(t)
	grow(t, root, task{pid: 250, anon: 900, name: "sudden"})
	for range 8 {
		ask.Now += 100 * time.Millisecond
		table.Refresh(ask)
	}
	found, stats := choose(t, table, ask)
	if winner(found, ask) != 250 || !stats.Remembered {
		t.Errorf("winner %d, %+v", winner(found, ask), stats)
	}
	table.Forget()
	if _, stats = choose(t, table, ask); stats.Remembered {
		t.Error("rows were believed that are forgotten")
	}
	if n := testing.AllocsPerRun(20, func() { table.Refresh(ask) }); n != 0 {
		t.Errorf("%v allocations a slice", n)
	}
}

// A process that vanishes, or can not be read, at any read of a choice from a
// current table, of a rule or of a brood, changes nothing for the others.
func TestVanishInAnEpisode(t *testing.T) {
	tasks := []task{{pid: 5, anon: 2, name: "bomb"}, {pid: 7, anon: 90, name: "editor"}}
	for pid := 100; pid < 112; pid++ {
		tasks = append(tasks, task{pid: pid, ppid: 5, anon: 15, name: "child"})
	}
	root := build(t, tasks...)
	ask := linux()
	ask.Policy.GrowthWeight, ask.Policy.Brood, ask.Policy.Rules = 4, 8, victim.BuiltIn()
	ask.Policy.Rules = append([]victim.Rule{{Effect: victim.Last, Match: victim.Match{Parent: victim.Literal("none")}}}, ask.Policy.Rules...)
	ask.Surveyed, ask.Available = true, 100*mib
	for _, e := range []sys.Errno{sys.ESRCH, sys.EACCES, sys.EINVAL} {
		for n, whole := 0, false; !whole; n++ {
			table := open(t, root, Options{Cmdline: true})
			ask.Now = start1000
			if err := table.Survey(ask); err != nil {
				t.Fatal(err)
			}
			left := n
			gone := map[string]bool{}
			whole = true
			table.read = func(dir int, path []byte, off int64, buf []byte) (int, sys.Errno) {
				pid, _, _ := strings.Cut(string(path), "/")
				if left--; left == -1 {
					gone[pid], whole = true, false
				}
				if gone[pid] {
					return 0, e
				}
				return readFile(dir, path, off, buf)
			}
			ask.Now += time.Second
			found, _ := choose(t, table, ask)
			w := winner(found, ask)
			if w == 0 {
				t.Fatalf("read %d fails with %v: winner %d", n, e, w)
			}
			for i := range found {
				if gone[strconv.Itoa(int(found[i].PID))] && found[i].PID == w && w != 5 {
					t.Errorf("read %d fails with %v: %d is gone and chosen", n, e, w)
				}
			}
			if n > 5000 {
				t.Fatal("the choice reads without end")
			}
		}
	}
}
