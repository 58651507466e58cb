package process

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/victim"
)

// grouped makes a tree of the tasks with cgroups of version 2: each gets a
// cgroup.procs, and the files given besides.
func grouped(t testing.TB, files map[string]string, tasks ...task) string {
	t.Helper()
	root := build(t, tasks...)
	put(t, root, "sys/fs/cgroup/cgroup.controllers", "memory\n")
	procs := map[string]string{}
	for _, k := range tasks {
		path := strings.TrimSpace(strings.TrimPrefix(k.cgroup, "0::"))
		procs[path] += fmt.Sprintln(k.pid)
	}
	for path, list := range procs {
		put(t, root, "sys/fs/cgroup"+path+"/cgroup.procs", list)
	}
	for name, content := range files {
		put(t, root, "sys/fs/cgroup/"+name, content)
	}
	return root
}

// heeding is linux with the settings of cgroups, and more of them below a rule.
func heeding(rules ...victim.Rule) Ask {
	ask := linux()
	ask.Policy.OOMGroup, ask.Policy.Preference, ask.Policy.Rules = true, true, rules
	return ask
}

func subtree(t testing.TB, table *Table, dir string) *Subtree {
	t.Helper()
	s, err := table.Subtree(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func find(t testing.TB, found []victim.Process, pid int32) *victim.Process {
	t.Helper()
	for i := range found {
		if found[i].PID == pid {
			return &found[i]
		}
	}
	t.Fatalf("%d is not among %d candidates", pid, len(found))
	return nil
}

// The topmost cgroup with memory.oom.group dies as a whole, with what is below
// it, and is ranked by the sum; who is at -1000 in it lives on and is named.
func TestOOMGroup(t *testing.T) {
	root := grouped(t, map[string]string{"app/memory.oom.group": "1\n", "app/in/memory.oom.group": "1\n", "memory.oom.group": "1\n"},
		task{pid: 10, anon: 300, cgroup: "0::/app\n"}, task{pid: 11, anon: 250, cgroup: "0::/app/in\n"},
		task{pid: 12, anon: 90, adj: -1000, name: "guard", cgroup: "0::/app\n"},
		task{pid: 20, anon: 400, cgroup: "0::/editor\n"})
	table := open(t, root, Options{})
	found, stats := choose(t, table, heeding())
	if winner(found, heeding()) != 10 || stats.Fault != nil {
		t.Fatalf("winner %d, %v", winner(found, heeding()), stats.Fault)
	}
	p := find(t, found, 10)
	if p.Dies() != victim.AsOOMGroup || string(p.DyingCgroup()) != "/app" || p.Members != 1 || p.Unit != 250*mib || string(p.Spared) != "12 guard\x00" {
		t.Errorf("%+v, spared %q", p, p.Spared)
	}
	if p := find(t, found, 11); string(p.DyingCgroup()) != "/app" || p.Unit != 300*mib {
		t.Errorf("%+v", p)
	}
	related := table.Related(p, make([]int32, 0, 8))
	if len(related) != 2 || !table.LivesOn(12, p) || table.LivesOn(11, p) || !table.Belongs(11, p, nil) || table.Belongs(20, p, nil) {
		t.Errorf("%v die with it", related)
	}
	ask := heeding()
	ask.Policy.OOMGroup = false
	if found, _ = choose(t, table, ask); winner(found, ask) != 20 {
		t.Error("memory.oom.group counts though it was switched off")
	}
	// Within the domain of /app/in, what /app says does not count.
	ask = heeding()
	ask.Within = subtree(t, table, root+"/sys/fs/cgroup/app/in")
	found, _ = choose(t, table, ask)
	if p := find(t, found, 11); string(p.DyingCgroup()) != "/app/in" || p.Members != 0 {
		t.Errorf("%s, %d members", p.DyingCgroup(), p.Members)
	}
}

// What processes of a cgroup share is in each of them; what is charged to it
// tells the truth.
func TestChargeBoundsTheSum(t *testing.T) {
	root := grouped(t, map[string]string{
		"app/memory.oom.group": "1\n", "app/memory.swap.current": "10485760\n",
		"app/memory.stat": fmt.Sprintf("anon %d\nfile 99\nshmem %d\nfile_mapped %d\n", 320*mib, 50*mib, 20*mib),
	},
		task{pid: 10, anon: 300, cgroup: "0::/app\n"}, task{pid: 11, anon: 300, cgroup: "0::/app\n"},
		task{pid: 20, anon: 400, cgroup: "0::/editor\n"})
	table := open(t, root, Options{})
	found, _ := choose(t, table, heeding())
	if p := find(t, found, 10); p.Unit != 50*mib || winner(found, heeding()) != 20 {
		t.Errorf("%d MiB with the others, winner %d", p.Unit/mib, winner(found, heeding()))
	}
}

// Sessions, process groups and trees of rules, by what they have together.
func TestUnitsOfRules(t *testing.T) {
	tasks := []task{
		{pid: 20, anon: 5, name: "bash", group: 20, session: 20},
		{pid: 30, ppid: 20, anon: 120, name: "sim", group: 30, session: 20},
		{pid: 31, ppid: 30, anon: 110, name: "part", group: 30, session: 20},
		{pid: 32, ppid: 31, anon: 100, name: "part", group: 32, session: 20},
		{pid: 40, anon: 200, name: "editor", group: 40, session: 40},
		{pid: 41, anon: 180, name: "other", group: 41, session: 41},
	}
	for death, want := range map[victim.Death]struct {
		unit    uint64
		members int32
	}{
		victim.AsTree: {210 * mib, 2}, victim.AsSession: {215 * mib, 3}, victim.AsGroup: {110 * mib, 1},
	} {
		ask := heeding(victim.Rule{Name: "sim", Match: victim.Match{Comm: victim.Literal("sim")}, Death: death, SaysDeath: true})
		table := open(t, build(t, tasks...), Options{})
		found, _ := choose(t, table, ask)
		p := find(t, found, 30)
		if p.Unit != want.unit || p.Members != want.members || winner(found, ask) != 30 {
			t.Errorf("%v: %d MiB, %d members, winner %d", death, p.Unit/mib, p.Members, winner(found, ask))
		}
		related := table.Related(p, make([]int32, 0, 8))
		for _, pid := range related {
			if pid != 30 && !table.Belongs(pid, p, func(int32) bool { return true }) {
				t.Errorf("%v: %d of %v does not belong", death, pid, related)
			}
		}
	}
}

// A unit of many small ones is found though each of them is the smallest.
func TestUnitOfSmallOnes(t *testing.T) {
	var tasks []task
	for pid := 10; pid < 50; pid++ {
		tasks = append(tasks, task{pid: pid, anon: 100 + pid}, task{pid: 100 + pid, anon: 40, name: "cc1", cgroup: "0::/build\n"})
	}
	ask := heeding(victim.Rule{Name: "build", Match: victim.Match{Cgroup: victim.Literal("/build")}, Death: victim.AsCgroup})
	for _, root := range []string{grouped(t, nil, tasks...), build(t, tasks...)} {
		found, _ := choose(t, open(t, root, Options{}), ask)
		if p := find(t, found, winner(found, ask)); p.Name() != "cc1" || p.Members != 39 || p.Unit != 39*40*mib {
			t.Errorf("%s with %d others, %d MiB", p.Name(), p.Members, p.Unit/mib)
		}
	}
}

// Whatever vanishes while units are summed up, the choice stands.
func TestVanishInAUnit(t *testing.T) {
	root := grouped(t, map[string]string{"app/memory.oom.group": "1\n", "app/memory.stat": "anon 629145600\n"},
		task{pid: 10, anon: 300, cgroup: "0::/app\n"}, task{pid: 11, anon: 4, cgroup: "0::/app\n"},
		task{pid: 20, anon: 280, cgroup: "0::/editor\n"})
	for _, e := range []sys.Errno{sys.ESRCH, sys.ENOENT, sys.EPERM} {
		for _, file := range []string{
			"11/statm", "11/oom_score_adj", "11/stat", "11/status", "11/cgroup",
			"app/memory.oom.group", "app/memory.stat", "app/memory.swap.current",
		} {
			table := open(t, root, Options{})
			table.read = func(dir int, path []byte, off int64, buf []byte) (int, sys.Errno) {
				if string(path) == file+"\x00" {
					return 0, e
				}
				return readFile(dir, path, off, buf)
			}
			found, stats := choose(t, table, heeding())
			if winner(found, heeding()) != 10 || stats.Fault != nil {
				t.Errorf("%s fails with %v: winner %d, %v", file, e, winner(found, heeding()), stats.Fault)
			}
		}
	}
}

// systemd's preferences count where root set them, or who owns the domain.
func TestPreference(t *testing.T) {
	root := grouped(t, nil, task{pid: 10, anon: 300, cgroup: "0::/avoid\n"}, task{pid: 11, anon: 200, cgroup: "0::/omit\n"},
		task{pid: 12, anon: 100, cgroup: "0::/usual\n"}, task{pid: 13, anon: 400, cgroup: "0::/user\n"})
	if err := os.Chown(root+"/sys/fs/cgroup/user", 1000, 1000); err != nil || os.Getuid() != 0 {
		t.Skip("needs root:", err)
	}
	table := open(t, root, Options{})
	opened := ""
	table.xattr = func(fd int, name, buf []byte) (int, sys.Errno) {
		opened, _ = os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
		if string(name) == "user.oomd_"+opened[strings.LastIndex(opened, "/")+1:]+"\x00" || strings.HasSuffix(opened, "/user") {
			return copy(buf, "1"), 0
		}
		return 0, sys.ENOENT
	}
	ask := heeding()
	found, _ := choose(t, table, ask)
	if p := find(t, found, 10); p.Effect != victim.Last || !p.Is(victim.Avoided) {
		t.Errorf("avoid: %v", p.Effect)
	}
	if p := find(t, found, 11); ask.Policy.Excluded(&ask.Query, p) != victim.IsOmitted {
		t.Errorf("omit: %v", p.Effect)
	}
	if p := find(t, found, 13); p.Effect != victim.Usual || winner(found, ask) != 13 {
		t.Errorf("a user's own: %v", p.Effect)
	}
	ask.Within = subtree(t, table, root+"/sys/fs/cgroup/user")
	found, _ = choose(t, table, ask)
	if p := find(t, found, 13); p.Effect != victim.Never || winner(found, ask) != 0 {
		t.Errorf("a user's own domain: %v, winner %d", p.Effect, winner(found, ask))
	}
	ask.Policy.Preference = false
	if found, _ = choose(t, table, ask); winner(found, ask) != 13 {
		t.Error("preferences count though they were switched off")
	}
}

// A choice with units allocates nothing.
func TestUnitsAllocateNothing(t *testing.T) {
	root := grouped(t, map[string]string{"app/memory.oom.group": "1\n", "app/memory.stat": "anon 629145600\n"},
		task{pid: 10, anon: 300, cgroup: "0::/app\n"}, task{pid: 11, anon: 4, cgroup: "0::/app/in\n"},
		task{pid: 12, anon: 4, adj: -1000, cgroup: "0::/app/in\n"}, task{pid: 20, anon: 280, name: "tree", cgroup: "0::/editor\n"},
		task{pid: 21, ppid: 20, anon: 30, cgroup: "0::/editor\n"})
	ask := heeding(victim.Rule{Match: victim.Match{Comm: victim.Literal("tree")}, Death: victim.AsTree})
	table := open(t, root, Options{})
	if allocs := testing.AllocsPerRun(20, func() { choose(t, table, ask) }); allocs != 0 {
		t.Errorf("%v allocations a choice", allocs)
	}
}

// Twenty workers over one segment do not hide a leak behind it: what all have
// together beyond the machine's shared memory is counted once.
func TestSharedMemoryIsCountedOnce(t *testing.T) {
	tasks := []task{{pid: 5, anon: 300, name: "leak"}}
	for pid := 10; pid < 30; pid++ {
		tasks = append(tasks, task{pid: pid, anon: 10, shmem: 500 + pid, name: "worker"})
	}
	for i := range tasks {
		tasks[i].extra = "Uid:\t70\t70\t70\t70\n"
	}
	table := open(t, build(t, tasks...), Options{})
	ask := linux()
	if found, _ := choose(t, table, ask); winner(found, ask) != 29 {
		t.Errorf("with nothing known of shared memory: %d", winner(found, ask))
	}
	ask.Shmem = 530 * mib
	found, _ := choose(t, table, ask)
	if p := find(t, found, 10); winner(found, ask) != 5 || ask.Query.Gain(p) > 40*mib || ask.Query.Gain(p) < 30*mib {
		t.Errorf("winner %d, a worker gives back %d MiB", winner(found, ask), ask.Query.Gain(p)/mib)
	}
	if allocs := testing.AllocsPerRun(5, func() { choose(t, table, ask) }); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

// File pages that nobody locks are known to be idle before anybody is read
// closely: of forty processes with large mapped files only a few are.
func TestMappedFilesAreBounded(t *testing.T) {
	tasks := []task{{pid: 5, anon: 200, name: "leak"}}
	for pid := 10; pid < 50; pid++ {
		tasks = append(tasks, task{pid: pid, anon: 10, file: 500 + pid})
	}
	tasks = append(tasks, task{pid: 60, anon: 10, file: 400, extra: fmt.Sprintf("VmLck:\t%d kB\n", 500<<10)})
	table := open(t, build(t, tasks...), Options{Finalists: 4})
	ask := linux()
	if _, stats := choose(t, table, ask); stats.Detailed < 40 {
		t.Errorf("%d read closely with nothing known of shared memory", stats.Detailed)
	}
	ask.Shmem, ask.Mlocked = 20*mib, 3*mib
	found, stats := choose(t, table, ask)
	if winner(found, ask) != 5 || stats.Detailed > explained {
		t.Errorf("winner %d, %d read closely", winner(found, ask), stats.Detailed)
	}
	for i := range found {
		p := found[i]
		gain := ask.Query.Gain(&p)
		p.Flag &^= victim.Detailed
		if ask.Query.Gain(&p) < gain {
			t.Errorf("%d: at most %d, it gives back %d", p.PID, ask.Query.Gain(&p), gain)
		}
	}
	ask.Mlocked = 400 * mib
	if found, _ = choose(t, table, ask); winner(found, ask) != 60 {
		t.Errorf("with locked files: %d", winner(found, ask))
	}
}
