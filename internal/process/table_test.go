package process

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/victim"
)

const mib = 1 << 20

// page is the size in the trees that tests build.
var page = int(sys.Pagesize())

// task is a process of a tree that a test builds.
type task struct {
	pid, ppid, adj int
	name           string
	anon, file     int // MiB
	swap           int
	score          int
	state          string
	flags, threads int
	extra          string // more lines of status
	cgroup         string
	group, session int
	shmem          int // MiB
}

// files gives the content of /proc/PID by name.
func (k task) files() map[string]string {
	if k.name == "" {
		k.name = fmt.Sprint("p", k.pid)
	}
	if k.state == "" {
		k.state = "S"
	}
	k.threads = max(k.threads, 1)
	if k.cgroup == "" {
		k.cgroup = fmt.Sprintf("0::/c%d\n", k.pid)
	}
	rss := (k.anon + k.file + k.shmem) * mib / page
	statm := fmt.Sprintf("%d %d %d 1 0 1 0\n", rss+1, rss, (k.file+k.shmem)*mib/page)
	sizes := fmt.Sprintf("RssAnon:\t%d kB\nRssFile:\t%d kB\nRssShmem:\t%d kB\nVmSwap:\t%d kB\n", k.anon<<10, k.file<<10, k.shmem<<10, k.swap<<10)
	if rss == 0 {
		statm, sizes = "0 0 0 0 0 0 0\n", ""
	}
	return map[string]string{
		"statm":         statm,
		"oom_score_adj": fmt.Sprintln(k.adj),
		"oom_score":     fmt.Sprintln(k.score),
		"stat": fmt.Sprintf("%d (%s) %s %d %d %d 0 -1 %d 1 2 7 4 5 6 7 8 20 0 %d 0 %d 0 0\n",
			k.pid, k.name, k.state, k.ppid, k.group, k.session, k.flags, k.threads, 1000+k.pid),
		"status": fmt.Sprintf("Tgid:\t%d\nUid:\t%d\t0\t0\t0\n%sThreads:\t%d\n%s", k.pid, 1000+k.pid, sizes, k.threads, k.extra),
		"cgroup": k.cgroup, "cmdline": "/bin/" + k.name + "\x00-x\x00",
	}
}

// build makes a tree of the tasks.
func build(t testing.TB, tasks ...task) string {
	t.Helper()
	root := t.TempDir()
	put(t, root, "proc/cgroups", "#subsys_name\n")
	put(t, root, "proc/meminfo", "not a process\n")
	for _, k := range tasks {
		for name, content := range k.files() {
			put(t, root, fmt.Sprintf("proc/%d/%s", k.pid, name), content)
		}
	}
	return root
}

func put(t testing.TB, root, name, content string) {
	t.Helper()
	path := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, root string, o Options) *Table {
	t.Helper()
	table, err := Open(root, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(table.Close)
	return table
}

// tableOf is a table that finds content in every file.
func tableOf(content []byte) *Table {
	return &Table{path: make([]byte, 0, 64), read: func(_ int, _ []byte, off int64, buf []byte) (int, sys.Errno) {
		if off >= int64(len(content)) {
			return 0, 0
		}
		return copy(buf, content[off:]), 0
	}}
}

func linux() Ask {
	return Ask{Policy: &victim.Policy{Bands: []int16{900, 0}, MinGain: 8 * mib}, Query: victim.Query{MinAdj: -999}, RAM: 4096 * mib}
}

func choose(t testing.TB, table *Table, ask Ask) ([]victim.Process, Stats) {
	t.Helper()
	found, stats, err := table.Candidates(ask)
	if err != nil {
		t.Fatal(err)
	}
	return found, stats
}

// winner gives the pid that Policy.Rank puts first, 0 for nobody.
func winner(found []victim.Process, ask Ask) int32 {
	var r victim.Ranking
	ask.Policy.Rank(&ask.Query, found, &r)
	if i, ok := r.Winner(); ok {
		return found[i].PID
	}
	return 0
}

func TestCandidates(t *testing.T) {
	root := build(t,
		task{pid: 1, anon: 900, name: "init"},
		task{pid: 2, state: "S", flags: flagKernel, name: "kthreadd"},
		task{pid: 3, state: "Z", flags: flagExiting, name: "zombie"},
		task{pid: 4, anon: 800, adj: -1000},
		task{pid: 10, anon: 300, file: 20, name: ") Z 1 ("},
		task{pid: 11, anon: 200, extra: "SigPnd:\t0000000000000100\n"},
		task{pid: 12, anon: 100, adj: 950, cgroup: "4:memory:/v1\n0::/v2\n"},
		task{pid: 13, anon: 2, extra: "Groups:\t" + strings.Repeat("65533 ", 20000) + "\n"},
		task{pid: 20, anon: 700, name: "daemon", ppid: 21},
		task{pid: 21, anon: 600, name: "shell", ppid: 22},
		task{pid: 22, anon: 500, name: "session", ppid: 1},
	)
	table := open(t, root, Options{Own: 20, Cmdline: true})
	found, stats := choose(t, table, linux())
	if len(found) != 3 || winner(found, linux()) != 12 {
		t.Fatalf("winner %d of %+v", winner(found, linux()), found)
	}
	p := found[0] // phase one's order: class, then size
	if p.PID != 12 || string(p.Cgroup) != "/v1" || string(p.Cmdline) != "/bin/p12\x00-x\x00" || p.UID != 1012 ||
		p.StartTime != 1012 || p.RssAnon != 100*mib || p.Flag != victim.Detailed || p.MajorFaults != 7 {
		t.Errorf("%+v", p)
	}
	if found[1].Name() != ") Z 1 (" || found[2].Flag != victim.Detailed|victim.Dying {
		t.Errorf("%+v", found[1:])
	}
	want := Stats{Seen: 11, Small: 1, Detailed: 3, Pages: 1}
	for _, e := range []victim.Exclusion{victim.IsInit, victim.IsKernel, victim.IsGone, victim.IsUnkillable} {
		want.Refused[e] = 1
	}
	want.Refused[victim.IsOwn] = 3
	if stats != want {
		t.Errorf("stats %+v, want %+v", stats, want)
	}
}

// A leader that has exited hides the memory of its threads; the group can die
// all the same.
func TestZombieLeader(t *testing.T) {
	leader := task{pid: 10, state: "Z", flags: flagExiting, threads: 3}
	root := build(t, leader, task{pid: 11, anon: 30})
	for tid, k := range map[int]task{10: leader, 12: {pid: 12, state: "Z", flags: flagExiting}, 13: {pid: 13, anon: 500}} {
		files := k.files()
		files["status"] = strings.Replace(files["status"], "Tgid:\t13", "Tgid:\t10", 1)
		for name, content := range files {
			put(t, root, fmt.Sprintf("proc/10/task/%d/%s", tid, name), content)
		}
	}
	table := open(t, root, Options{})
	found, _ := choose(t, table, linux())
	if winner(found, linux()) != 10 || found[0].RssAnon != 500*mib || found[0].StartTime != 1010 || found[0].RSS != 500*mib {
		t.Fatalf("%+v", found)
	}
	if found[0].Flag != victim.Detailed || string(found[0].Cgroup) != "/c13" {
		t.Errorf("flags %b, cgroup %s", found[0].Flag, found[0].Cgroup)
	}
	if err := os.RemoveAll(filepath.Join(root, "proc/10/task/13")); err != nil {
		t.Fatal(err)
	}
	found, stats := choose(t, table, linux())
	if winner(found, linux()) != 11 || stats.Refused[victim.IsGone] != 1 {
		t.Errorf("after its last thread: %+v %+v", found, stats)
	}
}

// A process that vanishes, at whichever read, changes nothing for the others.
func TestVanishAtEveryRead(t *testing.T) {
	root := build(t, task{pid: 10, anon: 300, score: 700}, task{pid: 11, anon: 200, score: 690})
	for _, e := range []sys.Errno{sys.ESRCH, sys.ENOENT, sys.EPERM, sys.EINVAL} {
		for _, file := range []string{"statm", "oom_score_adj", "oom_score", "stat", "status", "cgroup", "cmdline"} {
			table := open(t, root, Options{Cmdline: true})
			gone := false
			table.read = func(dir int, path []byte, off int64, buf []byte) (int, sys.Errno) {
				if gone = gone || string(path) == "10/"+file+"\x00"; gone && strings.HasPrefix(string(path), "10/") {
					return 0, e
				}
				return readFile(dir, path, off, buf)
			}
			ask := linux()
			if ask.Swap = 1024 * mib; file == "oom_score" {
				ask.SwapUsed = 800 * mib
			}
			found, stats := choose(t, table, ask)
			if winner(found, ask) != 11 || !gone {
				t.Errorf("%s fails with %v: winner %d of %+v", file, e, winner(found, ask), found)
			}
			checkStats(t, file, e, stats)
		}
	}
}

func checkStats(t *testing.T, file string, e sys.Errno, s Stats) {
	t.Helper()
	switch e {
	case sys.ESRCH, sys.ENOENT:
		if s.Fault != nil || s.Broken != 0 || s.Hidden != 0 {
			t.Errorf("%s: %+v", file, s)
		}
	case sys.EPERM:
		if s.Fault != nil || s.Broken != 0 {
			t.Errorf("%s: %+v", file, s)
		}
	default:
		if want := "read /proc/10/" + file + ": invalid argument"; s.Fault == nil || s.Fault.Error() != want {
			t.Errorf("%s: %v, want %s", file, s.Fault, want)
		}
	}
}

func TestMalformed(t *testing.T) {
	for file, content := range map[string]string{
		"statm": "x\n", "oom_score_adj": "high\n", "oom_score": "\n", "stat": "10 (a\n", "status": "Tgid:\tten\n", "cgroup": "what\n",
	} {
		root := build(t, task{pid: 10, anon: 300, score: 700}, task{pid: 11, anon: 200, score: 690})
		put(t, root, "proc/10/"+file, content)
		ask := linux()
		if ask.Swap = 1024 * mib; file == "oom_score" {
			ask.SwapUsed = 800 * mib
		}
		found, stats := choose(t, open(t, root, Options{}), ask)
		if want := "read /proc/10/" + file + ": malformed"; winner(found, ask) != 11 || stats.Fault == nil || stats.Fault.Error() != want {
			t.Errorf("%s: %v, winner of %+v", file, stats.Fault, found)
		}
	}
}

// Descriptors run out in the middle of a scan: the spare one sees it through.
func TestNoDescriptorLeft(t *testing.T) {
	root := build(t, task{pid: 10, anon: 300}, task{pid: 11, anon: 200})
	table := open(t, root, Options{})
	table.read = func(dir int, path []byte, off int64, buf []byte) (int, sys.Errno) {
		if table.spare[0].Open() {
			return 0, sys.EMFILE
		}
		return readFile(dir, path, off, buf)
	}
	for range 2 {
		found, stats := choose(t, table, linux())
		if winner(found, linux()) != 10 || stats.Fault != nil {
			t.Errorf("%+v %+v", found, stats)
		}
		if !table.spare[0].Open() || !table.spare[1].Open() {
			t.Error("the spare descriptor is not back")
		}
	}
	table.read = func(int, []byte, int64, []byte) (int, sys.Errno) { return 0, sys.EMFILE }
	found, stats := choose(t, table, linux())
	if want := "read /proc/10/statm: too many open files"; len(found) != 0 || stats.Broken != 2 || !errors.Is(stats.Fault, sys.EMFILE) {
		t.Errorf("%+v, want %s", stats, want)
	}
}

// More processes than fit a page: the winner is found even when it looked
// worst, and nobody is read closely without need.
func TestPages(t *testing.T) {
	var tasks []task
	for pid := 10; pid < 50; pid++ {
		tasks = append(tasks, task{pid: pid, anon: 10, file: 500 - pid})
	}
	tasks = append(tasks, task{pid: 60, anon: 200, file: 1})
	table := open(t, build(t, tasks...), Options{Finalists: 4})
	found, stats := choose(t, table, linux())
	if winner(found, linux()) != 60 || stats.Pages != 11 || stats.Detailed != 41 {
		t.Errorf("winner %d, %+v", winner(found, linux()), stats)
	}
	tasks[0].anon = 1000
	table = open(t, build(t, tasks...), Options{Finalists: 16})
	found, stats = choose(t, table, linux())
	if winner(found, linux()) != 10 || stats.Pages != 1 || stats.Detailed != 8 {
		t.Errorf("winner %d, %+v", winner(found, linux()), stats)
	}
}

// Thousands that look alike are not all read.
func TestSearchIsCut(t *testing.T) {
	const tasks = mostDetailed + 200
	root := t.TempDir()
	for pid := 10; pid < 10+tasks; pid++ {
		if err := os.MkdirAll(filepath.Join(root, "proc", fmt.Sprint(pid)), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	table := open(t, root, Options{})
	table.read = func(_ int, path []byte, _ int64, buf []byte) (int, sys.Errno) {
		pid, name, _ := strings.Cut(strings.TrimSuffix(string(path), "\x00"), "/")
		n, _ := strconv.Atoi(pid)
		return copy(buf, task{pid: n, anon: 10, file: 100}.files()[name]), 0
	}
	found, stats := choose(t, table, linux())
	if winner(found, linux()) == 0 || !stats.Cut || stats.Detailed != mostDetailed || stats.Seen != tasks {
		t.Errorf("winner %d, %+v", winner(found, linux()), stats)
	}
}

// When nobody is worth a kill, the small ones are asked too, and class rules.
func TestSmallOnes(t *testing.T) {
	root := build(t, task{pid: 10, anon: 3, adj: 0}, task{pid: 11, anon: 2, adj: 950}, task{pid: 12, anon: 1, file: 300})
	table := open(t, root, Options{})
	found, stats := choose(t, table, linux())
	if winner(found, linux()) != 11 || stats.Pages != 2 || stats.Small != 0 {
		t.Errorf("winner %d, %+v", winner(found, linux()), stats)
	}
	ask := linux()
	ask.Query.MinAdj = 900
	found, stats = choose(t, table, ask)
	if winner(found, ask) != 11 || stats.Refused[victim.IsBelowMinAdj] != 2 {
		t.Errorf("winner %d, %+v", winner(found, ask), stats)
	}
}

func TestSwapFindsTheSwappedOut(t *testing.T) {
	total := uint64(4096+1024) * mib / uint64(page)
	score := func(m int) int { return int(kernelScore(total, uint64(m)*mib/uint64(page), 0)) }
	root := build(t, task{pid: 10, anon: 300, score: score(300)}, task{pid: 11, anon: 5, swap: 600, score: score(605)})
	ask := linux()
	ask.Swap, ask.SwapUsed = 1024*mib, 700*mib
	found, _ := choose(t, open(t, root, Options{}), ask)
	if winner(found, ask) != 11 || found[0].SwapHint < 600*mib || found[0].SwapHint > 625*mib || found[0].RSS != 5*mib {
		t.Errorf("%+v", found)
	}
	ask.SwapUsed = 2 * mib // less than a step of the score: it is not read
	found, _ = choose(t, open(t, root, Options{}), ask)
	if found[0].PID != 10 || found[0].SwapHint != 2*mib || found[0].RSS != 300*mib {
		t.Errorf("%+v", found)
	}
}

func TestShunned(t *testing.T) {
	root := build(t, task{pid: 10, anon: 300}, task{pid: 11, anon: 200})
	ask := linux()
	ask.Query.Shun.Add(victim.Identity{PID: 10, StartTime: 1010})
	ask.Query.Shun.Add(victim.Identity{PID: 11, StartTime: 9}) // another process by now
	found, _ := choose(t, open(t, root, Options{}), ask)
	if winner(found, ask) != 11 {
		t.Errorf("%+v", found)
	}
}

func TestOpenFails(t *testing.T) {
	root := t.TempDir()
	want := "open " + root + "/proc: no such file or directory"
	if _, err := Open(root, Options{}); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

// Texts outlive a buffer that is too small for them.
func TestTexts(t *testing.T) {
	var tasks []task
	for pid := 10; pid < 30; pid++ {
		tasks = append(tasks, task{pid: pid, anon: 100, file: 50 - pid, cgroup: fmt.Sprintf("0::/%d%s\n", pid, strings.Repeat("/deep", 800))})
	}
	table := open(t, build(t, tasks...), Options{})
	found, _ := choose(t, table, linux())
	for _, p := range found {
		if want := fmt.Sprintf("/%d/deep", p.PID); !strings.HasPrefix(string(p.Cgroup), want) || len(p.Cgroup) < 4000 {
			t.Errorf("%d: %.20s, %d bytes", p.PID, p.Cgroup, len(p.Cgroup))
		}
	}
	if len(found) != 20 {
		t.Errorf("%d found", len(found))
	}
}
