package process

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/lmkd/lmkd/pkg/victim"
)

// grow makes a task of a tree larger.
func grow(t *testing.T, root string, k task) {
	t.Helper()
	for name, content := range k.files() {
		put(t, root, filepath.Join("proc", strconv.Itoa(k.pid), name), content)
	}
}

// start1000 is when the tasks of a built tree start: at 1000 + pid ticks.
const start1000 = 10 * time.Second

// A leak beside a steady database: the survey tells them apart, and size alone
// does not.
func TestGrowthOutweighsSize(t *testing.T) {
	database, leak := task{pid: 10, anon: 400, name: "database"}, task{pid: 11, anon: 20, name: "leak"}
	root := build(t, database, leak)
	table := open(t, root, Options{})
	ask := linux()
	ask.Policy.GrowthWeight = 4
	ask.Now = start1000 + time.Minute
	if err := table.Survey(ask); err != nil {
		t.Fatal(err)
	}
	leak.anon = 120
	grow(t, root, leak)
	found, _ := choose(t, table, ask)
	if winner(found, ask) != 10 {
		t.Errorf("without a survey of this episode: %d", winner(found, ask))
	}
	ask.Surveyed = true
	found, _ = choose(t, table, ask)
	if winner(found, ask) != 11 {
		t.Fatalf("with it: %d of %+v", winner(found, ask), found)
	}
	for _, p := range found {
		if want := map[int32]uint64{10: 0, 11: 100 * mib}[p.PID]; p.Growth != want {
			t.Errorf("%s grew by %d, want %d", p.Name(), p.Growth, want)
		}
	}
}

// What came after the survey has all its memory from this episode, and is young;
// what was not surveyed though it was there is not known to have grown.
func TestGrowthOfTheUnsurveyed(t *testing.T) {
	root := build(t, task{pid: 10, anon: 400}, task{pid: 11, anon: 300})
	table := open(t, root, Options{})
	ask := linux()
	ask.Policy.GrowthWeight, ask.Surveyed = 4, true
	ask.Now = start1000 + 110*time.Millisecond // 10 has started, 11 starts now
	if err := os.Rename(filepath.Join(root, "proc/11"), filepath.Join(root, "11")); err != nil {
		t.Fatal(err)
	}
	if err := table.Survey(ask); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(root, "11"), filepath.Join(root, "proc/11")); err != nil {
		t.Fatal(err)
	}
	found, _ := choose(t, table, ask)
	if winner(found, ask) != 11 {
		t.Fatalf("%+v", found)
	}
	for _, p := range found {
		if !p.Is(victim.Young) || p.Growth != map[int32]uint64{10: 0, 11: 300 * mib}[p.PID] {
			t.Errorf("%d: young %v, grew by %d", p.PID, p.Is(victim.Young), p.Growth)
		}
	}
}

// A fork bomb: the parent, who is small, stands for its children.
func TestBrood(t *testing.T) {
	tasks := []task{
		{pid: 5, anon: 30, name: "bash", ppid: 1},
		{pid: 6, anon: 2, name: "bomb", ppid: 5},
		{pid: 7, anon: 90, name: "editor", ppid: 5},
	}
	for pid := 100; pid < 120; pid++ {
		tasks = append(tasks, task{pid: pid, ppid: 6, anon: 15, name: "child"})
	}
	root := build(t, tasks...)
	table := open(t, root, Options{})
	ask := linux()
	ask.Policy.Brood = 8
	ask.Now = start1000 + time.Minute
	found, _ := choose(t, table, ask)
	if got := winner(found, ask); got != 7 {
		t.Errorf("old children: %d", got)
	}
	ask.Now = start1000 + 2*time.Second
	ask.Policy.GrowthWeight = 4
	found, _ = choose(t, table, ask)
	if winner(found, ask) != 6 {
		t.Fatalf("winner %d of %+v", winner(found, ask), found)
	}
	for _, p := range found {
		if p.PID == 6 && (p.Children != 20 || p.Brood != 300*mib || p.Dies() != victim.AsTree) {
			t.Errorf("%d children, %d bytes, as a %v", p.Children, p.Brood, p.Dies())
		}
	}
	ask.Policy.Rules = []victim.Rule{{Name: "spared", Effect: victim.Last, Match: victim.Match{Comm: victim.Literal("bomb")}}}
	found, _ = choose(t, table, ask)
	if got := winner(found, ask); got != 7 {
		t.Errorf("with a parent that goes last: %d", got)
	}
}

// The parent of several young victims is chosen with the only child that it has.
func TestBereaved(t *testing.T) {
	root := build(t, task{pid: 6, anon: 2, name: "respawn", ppid: 5}, task{pid: 7, anon: 90, name: "editor"},
		task{pid: 100, ppid: 6, anon: 80, name: "child"})
	ask := linux()
	ask.Policy.Brood, ask.Now, ask.Query.Bereaved = 8, start1000+2*time.Second, 6
	ask.Policy.GrowthWeight, ask.Surveyed = 4, false
	found, _ := choose(t, open(t, root, Options{}), ask)
	for _, p := range found {
		if p.PID == 6 && (p.Children != 1 || p.Brood != 80*mib) {
			t.Errorf("%d children, %d bytes", p.Children, p.Brood)
		}
	}
	if winner(found, ask) != 6 {
		t.Errorf("winner %d of %+v", winner(found, ask), found)
	}
}

func TestMembers(t *testing.T) {
	root := build(t, task{pid: 1, cgroup: "0::/a/b\n"}, task{pid: 10, cgroup: "0::/a/b\n"}, task{pid: 11, cgroup: "0::/a/b/c\n"},
		task{pid: 12, cgroup: "0::/a/bc\n"}, task{pid: 13, cgroup: "4:memory:/a/b\n0::/x\n"}, task{pid: 14, cgroup: "0::/a/b\n", adj: -1000},
		task{pid: 15, cgroup: "4:memory:/x\n0::/a/b\n"})
	table := open(t, root, Options{})
	got := table.Members([]byte("/a/b"), make([]int32, 0, 8))
	slices.Sort(got)
	if !slices.Equal(got, []int32{10, 11, 13}) {
		t.Errorf("%v", got)
	}
	if got := table.Members([]byte("/"), got[:0]); len(got) != 0 {
		t.Errorf("of the root: %v", got)
	}
}

func TestDescendants(t *testing.T) {
	root := build(t, task{pid: 30, ppid: 1}, task{pid: 20, ppid: 30}, task{pid: 10, ppid: 20},
		task{pid: 11, ppid: 1}, task{pid: 12, ppid: 20, adj: -1000}, task{pid: 13, ppid: 20, state: "Z"})
	table := open(t, root, Options{})
	got := table.Descendants(30, make([]int32, 0, 8))
	if len(got) != 2 || !contains(got, 20) || !contains(got, 10) {
		t.Errorf("%v", got)
	}
	if table.Parent(20) != 30 || table.Parent(13) != 0 || table.Parent(99) != 0 {
		t.Error("parents")
	}
	if got := table.Descendants(30, make([]int32, 0, 1)); len(got) != 1 {
		t.Errorf("with room for one: %v", got)
	}
}

// What rules read is read for them alone, and a process that can not be read is
// not matched.
func TestRuleTexts(t *testing.T) {
	root := build(t, task{pid: 10, anon: 300, name: "java", ppid: 11}, task{pid: 11, anon: 100, name: "tomcat"})
	put(t, root, "proc/11/comm", "tomcat\n")
	put(t, root, "proc/10/environ", "A=1\x00ROLE=cache\x00")
	if err := os.Symlink("/usr/bin/java", filepath.Join(root, "proc/10/exe")); err != nil {
		t.Fatal(err)
	}
	table := open(t, root, Options{})
	for name, m := range map[string]victim.Match{
		"parent":  {Parent: victim.Literal("tomcat")},
		"exe":     {Exe: victim.Glob("/usr/bin/*")},
		"cmdline": {Cmdline: victim.Literal("/bin/java -x")},
		"environ": {Environ: victim.Literal("ROLE=cache")},
	} {
		ask := linux()
		ask.Policy.Rules = []victim.Rule{{Name: name, Effect: victim.Never, Match: m}}
		found, _ := choose(t, table, ask)
		if winner(found, ask) != 11 {
			t.Errorf("%s: %d of %+v", name, winner(found, ask), found)
		}
	}
}

// A rule that lets somebody go first is known in phase one.
func TestFirstWins(t *testing.T) {
	tasks := []task{{pid: 5, anon: 20, name: "backup"}}
	for pid := 10; pid < 60; pid++ {
		tasks = append(tasks, task{pid: pid, anon: 100 + pid})
	}
	ask := linux()
	for name, r := range map[string]victim.Rule{
		"first": {Effect: victim.First, Match: victim.Match{Comm: victim.Literal("backup")}},
		"adj":   {Adjust: 950, Match: victim.Match{Comm: victim.Literal("backup")}},
	} {
		ask.Policy.Rules = []victim.Rule{r}
		for _, bar := range []int16{-999, 0, 900} {
			ask.Query.MinAdj = bar
			if name == "first" && bar == 900 {
				continue
			}
			found, stats := choose(t, open(t, build(t, tasks...), Options{}), ask)
			if winner(found, ask) != 5 {
				t.Errorf("%s, from %d: winner %d, %+v", name, bar, winner(found, ask), stats)
			}
		}
	}
}

// Orphans of a bomb that forks twice: the leader of their process group stands
// for them, or, when it has ended, the largest of those alike.
func TestHorde(t *testing.T) {
	tasks := []task{{pid: 4, anon: 90, name: "editor", cgroup: "0::/e\n"}, {pid: 6, ppid: 4, anon: 2, name: "bomb", group: 6, session: 4, cgroup: "0::/s\n"}}
	for pid := 100; pid < 120; pid++ {
		tasks = append(tasks, task{pid: pid, ppid: 1, anon: 15, name: "child", group: 6, session: 4, cgroup: "0::/s\n"})
	}
	ask := linux()
	ask.Policy.Brood, ask.Now = 8, start1000+2*time.Second
	table := open(t, build(t, tasks...), Options{})
	found, _ := choose(t, table, ask)
	p := find(t, found, winner(found, ask))
	if p.PID != 6 || p.Dies() != victim.AsGroup || p.Children != 20 || p.Members != 20 {
		t.Fatalf("%d: %d alike, %d members, as a %v, %+v", p.PID, p.Children, p.Members, p.Dies(), p)
	}
	if related := table.Related(p, make([]int32, 0, 64)); len(related) != 21 {
		t.Errorf("%d die with it", len(related))
	}
	tasks[1].group = 5
	table = open(t, build(t, tasks...), Options{})
	found, _ = choose(t, table, ask)
	p = find(t, found, winner(found, ask))
	if p.Name() != "child" || p.Dies() != victim.AsBrood || p.Children != 19 || p.Brood != 19*15*mib {
		t.Fatalf("%d: %d alike, as a %v", p.PID, p.Children, p.Dies())
	}
	if related := table.Related(p, make([]int32, 0, 64)); len(related) != 20 || contains(related, 6) || table.Belongs(4, p, nil) || !table.Belongs(110, p, nil) {
		t.Errorf("%v die with it", related)
	}
}
