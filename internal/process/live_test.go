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
	"github.com/lmkd/lmkd/pkg/victim"
)

// The test binary plays the processes that it needs to see.
const roleKey = "LMKD_PROCESS_TEST_ROLE"

var roles = map[string]func(){
	"hog":    func() { play(make([]byte, 48<<20)) },
	"leader": playLeader,
	"full":   playFull,
}

func TestMain(m *testing.M) {
	if role := roles[os.Getenv(roleKey)]; role != nil {
		role()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func init() {
	if os.Getenv(roleKey) == "leader" {
		runtime.LockOSThread() // main is to run on the first thread
	}
}

// play touches memory, says so, and waits for the end of its input.
func play(memory []byte) {
	for i := range memory {
		memory[i] = byte(i * i)
	}
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
	runtime.KeepAlive(memory)
}

// playLeader lets the first thread die and the others live.
func playLeader() {
	go func() {
		play(make([]byte, 48<<20))
		os.Exit(0)
	}()
	sys.ExitThread()
}

// playFull uses up all descriptors and chooses then.
func playFull() {
	table, err := Open("/", Options{Own: int32(sys.Getpid())})
	if err != nil {
		fmt.Println(err)
		return
	}
	for {
		if _, e := sys.OpenPath("/dev/null", sys.ReadOnly); e != 0 {
			break
		}
	}
	found, stats, err := table.Candidates(linux())
	fmt.Println("found", len(found), "seen", stats.Seen, stats.Fault, err)
}

// start runs the test binary, as name, in a role; it ends with the test.
func start(t testing.TB, role, name string) *exec.Cmd {
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
	cmd.Env = append(os.Environ(), roleKey+"="+role)
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
		t.Fatal(role, line, err)
	}
	return cmd
}

// spawn starts n processes that sleep until the test ends, or dies: each waits
// for the end of a pipe whose other end the test holds.
func spawn(tb testing.TB, n int) {
	tb.Helper()
	cmd := exec.Command("/bin/sh", "-c", `exec 3<&0; i=0
while [ $i -lt `+strconv.Itoa(n)+` ]; do (read x <&3) & i=$((i+1)); done
echo ready
wait`)
	in, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = in.Close()
		_, _ = io.Copy(io.Discard, out) // until the last of them is gone
		_ = cmd.Wait()
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		tb.Fatal(line, err)
	}
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
	pid := start(t, "hog", name).Process.Pid
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
	pid := start(t, "leader", "leader").Process.Pid
	table := open(t, "/", Options{})
	for { // "ready" may come before the first thread is gone
		table.setProcess(int32(pid))
		if s, e, err := table.readStat(); e != 0 || err != nil {
			t.Fatal(e, err)
		} else if s.dead() {
			break
		}
		runtime.Gosched()
	}
	p := look(t, table, pid)
	if p.RssAnon+p.Swap < 48<<20 || p.RSS < p.RssAnon || p.Flag != victim.Detailed || p.Name() != "leader" || p.Threads < 2 {
		t.Errorf("%+v", p)
	}
}

func TestLiveZombie(t *testing.T) {
	cmd := exec.Command("/bin/sh", "-c", "exit 0")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	table := open(t, "/", Options{})
	fd, e := sys.PidfdOpen(cmd.Process.Pid)
	if e != 0 {
		t.Fatal(e)
	}
	_, e = sys.PollFor(fd.Int(), -1) // until it has exited
	p := look(t, table, cmd.Process.Pid)
	_, _ = fd.Close(), cmd.Wait()
	if e != 0 || !p.Is(victim.Zombie) || p.Is(victim.Kernel) {
		t.Errorf("%v %+v", e, p)
	}
	table.setProcess(p.PID)
	if _, out := table.readStatm(); out != isVanished {
		t.Errorf("after it was reaped: %d", out)
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

// The kernel's oom_score of every process fits the formula, and the hint is
// between what is swapped out and that plus one step of the score.
func TestLiveScore(t *testing.T) {
	start(t, "hog", "hog")
	info := fields(t, "/proc/meminfo")
	table := open(t, "/", Options{})
	ask := linux()
	ask.RAM, ask.Swap, ask.SwapUsed = info["MemTotal"], info["SwapTotal"], 1<<50
	table.begin(ask)
	table.floor = 0
	checked := 0
	for _, pid := range pids(t) {
		p := &victim.Process{PID: pid}
		if table.phaseOne(p) != isThere || p.RSS == 0 || p.Adj == -1000 {
			continue
		}
		table.detail(p)
		step := 3*table.machine.total/1000 + 1 + table.machine.slack + 1024 // and a little life
		if p.Is(victim.Vanished) || p.SwapHint == 1<<50 {
			continue // gone, or a child of vfork
		}
		if p.SwapHint+1024*table.pageSize < p.Swap || p.SwapHint > p.Swap+p.PageTable+step*table.pageSize {
			t.Errorf("%s: hint %d, swapped out %d, page tables %d", p.Name(), p.SwapHint, p.Swap, p.PageTable)
		}
		checked++
	}
	if checked == 0 {
		t.Error("no process fits the formula")
	}
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

// Processes that come and go while they are read are no fault, and a scan of
// them allocates nothing.
func TestLiveChurn(t *testing.T) {
	spawn(t, 50)
	hog := start(t, "hog", "hog").Process.Pid
	churn := exec.Command("/bin/sh", "-c", "exec 3<&0; (read x <&3) & while kill -0 $!; do /bin/true & /bin/true; done; wait")
	in, err := churn.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := churn.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = in.Close()
		_ = churn.Wait()
	}()
	table := open(t, "/", Options{Own: int32(os.Getpid())})
	ask := linux()
	var stats Stats
	allocs := testing.AllocsPerRun(20, func() {
		var found []victim.Process
		found, stats = choose(t, table, ask)
		seen := false
		for i := range found {
			seen = seen || found[i].PID == int32(hog)
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

// With every descriptor in use a choice is made all the same.
func TestLiveNoDescriptorLeft(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/bin/sh", "-c", `ulimit -n 40; exec "$0"`, self)
	cmd.Env = append(os.Environ(), roleKey+"=full")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "<nil> <nil>") || strings.Contains(string(out), "seen 0") {
		t.Errorf("%v: %s", err, out)
	}
}
