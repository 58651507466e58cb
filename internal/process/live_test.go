package process

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/internal/sys/systest"
	"github.com/lmkd/lmkd/pkg/victim"
)

// The test binary plays the processes that it needs to see: what systest has
// not, it has here.
const roleKey = "LMKD_PROCESS_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleKey) {
	case "hog":
		playHog()
	case "full":
		playFull()
	default:
		systest.Main(m)
	}
}

// playHog touches memory, half of which goes to swap if there is any, says so,
// and waits for the end of its input.
func playHog() {
	memory := make([]byte, 48<<20)
	for i := range memory {
		memory[i] = byte(i * i)
	}
	if err := systest.PageOut(memory[:len(memory)/2]); err != nil {
		fmt.Println("page out:", err)
		return
	}
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
	runtime.KeepAlive(memory)
}

// playFull uses up all descriptors and chooses then.
func playFull() {
	table, err := Open("/", Options{Own: int32(sys.Getpid())})
	if err == nil {
		err = systest.LimitFiles(40)
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	for {
		if _, e := sys.OpenPath("/dev/null", sys.ReadOnly); e != 0 {
			break
		}
	}
	_, stats, err := table.Candidates(linux())
	fmt.Println("broken", stats.Broken, stats.Fault, err)
}

// hog starts the test binary, as name, as a hog; it ends with the test.
func hog(t testing.TB, name string) (pid int) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), name)
	if err := os.Symlink(self, link); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(link)
	cmd.Env = append(os.Environ(), roleKey+"=hog")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatal(name, line, err)
	}
	return cmd.Process.Pid
}

// look reads one live process by both phases.
func look(t testing.TB, table *Table, pid int) *victim.Process {
	t.Helper()
	table.begin(linux())
	p := &victim.Process{PID: int32(pid)}
	table.floor = 0
	if out := table.phaseOne(p); out != isThere {
		t.Fatalf("pid %d: outcome %d, %v", pid, out, table.stats.Fault)
	}
	table.detail(p)
	return p
}

func TestLiveHog(t *testing.T) {
	const name = ") Z 1 (\n\xff"
	pid := hog(t, name)
	p := look(t, open(t, "/", Options{Cmdline: true}), pid)
	if p.Name() != name || p.PPID != int32(os.Getpid()) || p.UID != uint32(os.Getuid()) || p.Flag != victim.Detailed {
		t.Errorf("%+v %q", p, p.Name())
	}
	if p.RssAnon+p.Swap < 48<<20 || p.RSS+p.SwapHint < p.RssAnon || p.Threads < 2 || p.PageTable == 0 || p.StartTime == 0 {
		t.Errorf("%+v", p)
	}
	if !strings.HasSuffix(string(p.Cmdline), name+"\x00") || len(p.Cgroup) == 0 || p.Cgroup[0] != '/' {
		t.Errorf("cgroup %q, cmdline %q", p.Cgroup, p.Cmdline)
	}
}

// A group whose leader has exited: its name and start are the leader's, its
// memory that of its threads, and it is nobody's zombie.
func TestLiveZombieLeader(t *testing.T) {
	n := systest.New(t)
	pid, _ := n.Program()
	table := open(t, "/", Options{})
	before := *look(t, table, pid)
	cgroup := string(before.Cgroup)
	n.Tell(pid, "leave")
	for dead := false; !dead; runtime.Gosched() {
		table.setProcess(int32(pid))
		s, e, err := table.readStat()
		if e != 0 || err != nil {
			t.Fatal(e, err)
		}
		dead = s.dead()
	}
	p := look(t, table, pid)
	if p.RssAnon == 0 || p.RSS < p.RssAnon || p.Flag != victim.Detailed || p.Threads < 2 {
		t.Errorf("%+v", p)
	}
	if p.Name() != before.Name() || p.StartTime != before.StartTime || string(p.Cgroup) != cgroup {
		t.Errorf("%+v, before %+v", p, before)
	}
}

// exit lets a child exit, and waits until it has.
func exit(t testing.TB, n *systest.Nursery, pid int) {
	t.Helper()
	fd, e := sys.PidfdOpen(pid)
	if e != 0 {
		t.Fatal(e)
	}
	n.Exit(pid, 0)
	if _, e := sys.PollFor(fd.Int(), -1); e != 0 {
		t.Fatal(e)
	}
	_ = fd.Close()
}

func TestLiveZombie(t *testing.T) {
	n := systest.New(t)
	pid := n.Fork()
	table := open(t, "/", Options{Cmdline: true})
	exit(t, n, pid)
	if p := look(t, table, pid); !p.Is(victim.Zombie) || p.Is(victim.Kernel) {
		t.Errorf("%+v", p)
	}
	n.Reap(pid)
	table.setProcess(int32(pid))
	if _, out := table.readStatm(); out != isVanished {
		t.Errorf("after it was reaped: %d", out)
	}
}

// A live process that exits, or is gone, right before any of its files is read:
// no fault, and nobody to kill.
func TestLiveVanishAtEveryRead(t *testing.T) {
	n := systest.New(t)
	for _, reap := range []bool{false, true} {
		for _, file := range []string{"statm", "oom_score_adj", "oom_score", "stat", "status", "cgroup", "cmdline"} {
			pid := n.Fork()
			table := open(t, "/", Options{Cmdline: true})
			table.read = func(dir int, path []byte, off int64, buf []byte) (int, sys.Errno) {
				if string(path) == fmt.Sprintf("%d/%s\x00", pid, file) {
					table.read = readFile
					exit(t, n, pid)
					if reap {
						n.Reap(pid)
					}
				}
				return readFile(dir, path, off, buf)
			}
			checkGone(t, table, pid, file)
			if !reap {
				n.Reap(pid)
			}
		}
	}
}

func checkGone(t *testing.T, table *Table, pid int, file string) {
	t.Helper()
	ask := linux()
	if ask.Policy.MinGain = 0; file == "oom_score" {
		ask.Swap, ask.SwapUsed = 1<<30, 1<<30
	}
	table.begin(ask)
	p := &victim.Process{PID: int32(pid)}
	gone := true
	if table.phaseOne(p) == isThere {
		table.detail(p)
		gone = ask.Policy.Excluded(&ask.Query, p) != victim.Eligible
	}
	late := file == "cgroup" || file == "cmdline" // a zombie has these
	if table.stats.Fault != nil || !late && !gone {
		t.Errorf("exit before %s: %+v, %v", file, p, table.stats.Fault)
	}
}

func TestLiveKernelThread(t *testing.T) {
	if p := look(t, open(t, "/", Options{}), 2); !p.Is(victim.Kernel) || p.Is(victim.Zombie) || p.Name() != "kthreadd" {
		t.Errorf("pid 2 is no kernel thread (is this the first pid namespace?): %+v", p)
	}
}

func TestLiveOwnTree(t *testing.T) {
	table := open(t, "/", Options{Own: int32(os.Getpid())})
	table.findOwn()
	for _, pid := range []int{os.Getpid(), os.Getppid()} {
		if pid > 1 && !table.isOwn(int32(pid)) {
			t.Errorf("pid %d is not seen as our own: %v", pid, table.own[:table.owned])
		}
	}
}

// The kernel's oom_score of every process fits the formula, and bounds what it
// has: not less, and not more than one step of the score above it.
func TestLiveScore(t *testing.T) {
	hog(t, "hog")
	info := fields(t, "/proc/meminfo")
	table := open(t, "/", Options{})
	ask := linux()
	ask.RAM, ask.Swap, ask.SwapUsed = info["MemTotal"], info["SwapTotal"], 1<<50
	table.begin(ask)
	life := 1024 * table.pageSize // of the process between two readings
	step := (3*table.machine.total/1000 + 1 + table.machine.slack) * table.pageSize
	checked, swapped := 0, uint64(0)
	for _, pid := range pids(t) {
		p := &victim.Process{PID: pid}
		if table.phaseOne(p) != isThere || p.SwapHint == 0 || p.RSS != 0 {
			continue // gone, a kernel thread, or a child of vfork
		}
		table.detail(p)
		has := p.RssAnon + p.RssFile + p.RssShmem + p.Swap
		if p.Is(victim.Vanished) {
			continue
		}
		if p.RSS+p.SwapHint+life < has || p.RSS+p.SwapHint > has+p.PageTable+step+life {
			t.Errorf("%s: bound %d, it has %d, page tables %d", p.Name(), p.RSS+p.SwapHint, has, p.PageTable)
		}
		checked++
		swapped += p.Swap
	}
	if checked == 0 || ask.Swap > 0 && swapped == 0 {
		t.Errorf("%d processes fit the formula, %d bytes of them are swapped out", checked, swapped)
	}
	t.Logf("%d processes checked, %d bytes of them swapped out", checked, swapped)
}

func pids(t testing.TB) (list []int32) {
	t.Helper()
	names, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		pid, _ := strconv.Atoi(filepath.Base(name))
		list = append(list, int32(pid))
	}
	return list
}

// fields reads "Key: number kB" lines, as bytes.
func fields(t testing.TB, path string) map[string]uint64 {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]uint64{}
	for line := range strings.Lines(string(b)) {
		key, value, _ := strings.Cut(line, ":")
		if f := strings.Fields(value); len(f) == 2 {
			n, _ := strconv.ParseUint(f[0], 10, 64)
			out[key] = n << 10
		}
	}
	return out
}

// A choice among live processes finds the hog, and allocates nothing.
func TestLiveChoice(t *testing.T) {
	n := systest.New(t)
	n.Crowd(50)
	pid := hog(t, "hog")
	// Before whatever else is large on this machine.
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid), []byte("1000"), 0); err != nil {
		t.Fatal(err)
	}
	table := open(t, "/", Options{Own: int32(os.Getpid())})
	ask := linux()
	ask.Policy.MinGain = 24 * mib
	var stats Stats
	allocs := testing.AllocsPerRun(20, func() {
		var found []victim.Process
		found, stats = choose(t, table, ask)
		seen := false
		for i := range found {
			seen = seen || found[i].PID == int32(pid)
		}
		if !seen || stats.Fault != nil || stats.Broken > 0 {
			t.Errorf("hog %v, %+v", seen, stats)
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations a choice", allocs)
	}
	if stats.Refused[victim.IsOwn] == 0 || stats.Small < 50 {
		t.Errorf("%+v", stats)
	}
}

// With every descriptor in use a choice is made all the same, even when a
// leader has exited and its threads must be looked for.
func TestLiveNoDescriptorLeft(t *testing.T) {
	n := systest.New(t)
	pid, _ := n.Program()
	n.Tell(pid, "leave")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), roleKey+"=full")
	out, err := cmd.CombinedOutput()
	if err != nil || string(out) != "broken 0 <nil> <nil>\n" {
		t.Errorf("%v: %s", err, out)
	}
}

// What phase one says of any live process is never below what it gives back.
func TestLiveBound(t *testing.T) {
	info := fields(t, "/proc/meminfo")
	table := open(t, "/", Options{})
	ask := linux()
	ask.Shmem, ask.Mlocked = info["Shmem"]+1, info["Mlocked"]
	ask.SwapUsed = info["SwapTotal"] - info["SwapFree"]
	ask.Swap = info["SwapTotal"]
	table.begin(ask)
	life := uint64(16 * mib) // of the process between two readings
	checked, idle := 0, uint64(0)
	for _, pid := range pids(t) {
		p := &victim.Process{PID: pid}
		if pid == 1 || table.phaseOne(p) != isThere || p.Flag != 0 { // init is not read at all
			continue
		}
		table.idle(p)
		most := ask.Query.Gain(p)
		if table.detail(p); p.Is(victim.Vanished) {
			continue
		}
		if gain := ask.Query.Gain(p); gain > most+life {
			t.Errorf("%s (%d): at most %d, it gives back %d", p.Name(), pid, most, gain)
		}
		checked++
		idle += p.Idle
	}
	if checked == 0 {
		t.Error("nobody was checked")
	}
	t.Logf("%d processes checked, %d MiB of them idle", checked, idle/mib)
}
