package daemon

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	cgroups "github.com/containerd/cgroups/v3"

	"github.com/lmkd/lmkd/internal/engine"
	"github.com/lmkd/lmkd/internal/record"
	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/internal/sys/systest"
	"github.com/lmkd/lmkd/pkg/pressure"
	"github.com/lmkd/lmkd/pkg/victim"
)

// partEnv holds the part that the test binary plays as a victim.
const partEnv = "DAEMON_TEST_PART"

func TestMain(m *testing.M) {
	if part := os.Getenv(partEnv); part != "" {
		play(part)
	}
	systest.Main(m)
}

// hold fills so many bytes.
func hold(n int) {
	b, err := sys.MapPages(n)
	if err != nil {
		panic(err)
	}
	for i := 0; i < len(b); i += os.Getpagesize() {
		b[i] = 1
	}
}

// play fills 64 MB but when idle, does the part, says ready and lives until its input ends.
func play(part string) {
	if part == "idle" {
		_ = os.WriteFile("/proc/self/comm", []byte("sleep"), 0)
	} else {
		hold(64 << 20)
	}
	if part == "twin" {
		go systest.MakeTwin(false)
		for twinOf(os.Getpid()) == 0 {
			runtime.Gosched()
		}
	}
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

// twinOf gives the first child of pid, 0 for none.
func twinOf(pid int) int {
	tasks, _ := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/task")
	for _, task := range tasks {
		text, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/task/" + task.Name() + "/children")
		if n, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
			return n
		}
	}
	return 0
}

func actor(t *testing.T, part string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", "-test.run=^$")
	cmd.Env = append(os.Environ(), partEnv+"="+part)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("the actor said %q: %v", line, err)
	}
	return cmd
}

// ends keeps how kills went.
type ends struct {
	*record.Ring
	notes    []engine.Note
	outcomes []engine.Outcome
}

func (e *ends) Append(d uint16, in *engine.Input, out *engine.Output) {
	e.Ring.Append(d, in, out)
	if out.Outcome != nil {
		e.notes = append(e.notes, out.Note)
		e.outcomes = append(e.outcomes, *out.Outcome)
	}
}

// killFor has a loop that kills see the machine below root, and runs it until a
// kill has ended.
func killFor(t *testing.T, root string, p engine.Policy) (engine.Note, engine.Outcome) {
	t.Helper()
	seen := &ends{Ring: record.NewRing(record.DefaultSize)}
	d, err := New(Options{
		Root: root, Policy: p, Say: t.Logf,
		Record: func(*engine.Policy) (Recorder, error) { return seen, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	l, err := d.open()
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	l.handle(l.machine(), engine.Input{Kind: engine.Woken, Source: engine.FromPSI, Event: pressure.LevelCritical})
	for end := sys.Now() + time.Minute; len(seen.notes) == 0; {
		if sys.Now() > end {
			t.Fatal("no kill has ended")
		}
		n, e := l.epoll.Wait(l.events[:], l.timeout())
		if e != 0 {
			t.Fatal(e)
		}
		l.dispatch(l.events[:n])
	}
	return seen.notes[0], seen.outcomes[0]
}

// twins starts a process and a child that has its memory; both end with the test.
func twins(t *testing.T) (*exec.Cmd, int) {
	t.Helper()
	child := actor(t, "twin")
	twin := twinOf(child.Process.Pid)
	fd, e := sys.PidfdOpen(twin)
	if e != 0 {
		t.Fatal("open the twin: ", e)
	}
	t.Cleanup(func() {
		_ = sys.PidfdSignal(fd.Int(), sys.SIGKILL)
		_ = fd.Close()
	})
	return child, twin
}

// A process that shares the victim's memory dies with it, for the memory would
// stay with it.
func TestTwinDiesWithTheVictim(t *testing.T) {
	child, twin := twins(t)
	root := shortMemory(t, 2<<10, child)
	large(t, root, twin, 0)
	note, o := killFor(t, root, engine.Linux())
	if note != engine.KillDone || o.Members != 1 || o.Holds != engine.Shared {
		t.Errorf("%v: %d members, %v", note, o.Members, o.Holds)
	}
	if sys.Mrelease.Probe() == nil && o.Reaped && o.ReapErrno != 0 && sys.Errno(o.ReapErrno) != sys.ESRCH {
		t.Errorf("process_mrelease: %v", sys.Errno(o.ReapErrno))
	}
	for _, pid := range []int{child.Process.Pid, twin} {
		if running(pid) {
			t.Errorf("pid %d lives", pid)
		}
	}
}

// With a twin that may not die the victim's death would give nothing: it lives.
func TestTwinOfAProtectedOneLives(t *testing.T) {
	child, twin := twins(t)
	root := shortMemory(t, 2<<10, child)
	large(t, root, twin, 0)
	put(t, root, map[string]string{fmt.Sprint(twin) + "/stat": renamed(t, twin, "holy")})
	p := engine.Linux()
	p.Victim.Never = []string{"holy"}
	note, o := killFor(t, root, p)
	if note != engine.KillFailed || sys.Errno(o.SignalErrno) != sys.EBUSY || o.Holds != engine.Shared {
		t.Errorf("%v: %v, %v", note, sys.Errno(o.SignalErrno), o.Holds)
	}
	for _, pid := range []int{child.Process.Pid, twin} {
		if !running(pid) {
			t.Errorf("pid %d is dead", pid)
		}
	}
}

// renamed gives the stat of a process with another name.
func renamed(t *testing.T, pid int, name string) string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	s := string(text)
	return s[:strings.Index(s, "(")+1] + name + s[strings.LastIndex(s, ")"):]
}

func running(pid int) bool {
	fd, e := sys.PidfdOpen(pid)
	defer fd.Close()
	ready, _ := sys.PollIn(fd.Int())
	return e == 0 && ready == 0
}

// A victim that a tracer holds gives its memory back and never ends: the wait
// ends before its time, and the outcome says why.
func TestTracedVictimEndsTheWait(t *testing.T) {
	child := actor(t, "hold")
	trace(t, child.Process.Pid)
	p := engine.Linux()
	p.KillTimeout = 8 * time.Second // looked at each second
	note, o := killFor(t, shortMemory(t, 2<<10, child), p)
	if note != engine.KillStuck || o.Holds&engine.Traced == 0 || o.TimedOut {
		t.Errorf("%v: %v, timed out %v, process_mrelease %v", note, o.Holds, o.TimedOut, sys.Errno(o.ReapErrno))
	}
}

// Without the reclaim the wait lasts its time, and the outcome says what kept
// the victim.
func TestTracedVictimTimesOut(t *testing.T) {
	child := actor(t, "hold")
	trace(t, child.Process.Pid)
	p := engine.Linux()
	p.KillTimeout = 2 * time.Second
	note, o := killFor(t, shortMemory(t, 2<<10, child), p)
	if note != engine.KillTimeout && note != engine.KillStuck || o.Holds&engine.Traced == 0 {
		t.Errorf("%v: %v", note, o.Holds)
	}
}

// trace seizes a thread that is not the leader, and keeps it until the test ends.
func trace(t *testing.T, pid int) {
	t.Helper()
	seized, over, left := make(chan sys.Errno), make(chan struct{}), make(chan struct{})
	go func() {
		runtime.LockOSThread() // its end lets the tracee go
		defer close(left)
		tasks, _ := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/task")
		e := sys.ESRCH
		for _, task := range tasks {
			if tid, _ := strconv.Atoi(task.Name()); tid != pid && e != 0 {
				e = sys.Seize(tid)
			}
		}
		seized <- e
		<-over
	}()
	if e := <-seized; e != 0 {
		t.Fatal("seize: ", e)
	}
	t.Cleanup(func() { close(over); <-left })
}

// crowd makes a cgroup of its own with so many processes in it.
func crowd(t *testing.T, n int) (path string, pids []int) {
	t.Helper()
	if cgroups.Mode() != cgroups.Unified {
		t.Skip("this machine has cgroup v1")
	}
	dir, err := os.MkdirTemp("/sys/fs/cgroup", "lmkd-test-")
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { // after those in it have gone
		for end := sys.Now() + 10*time.Second; os.Remove(dir) != nil && sys.Now() < end; {
			runtime.Gosched()
		}
	})
	pids = systest.New(t).Crowd(n)
	for _, pid := range pids {
		if err := os.WriteFile(dir+"/cgroup.procs", strconv.AppendInt(nil, int64(pid), 10), 0); err != nil {
			t.Fatal(err)
		}
	}
	return dir[len("/sys/fs/cgroup"):], pids
}

// emptyMachine has little memory left, and nobody who may die.
func emptyMachine(t *testing.T) string {
	child := sleeper(t)
	root := shortMemory(t, 2<<10, child)
	large(t, root, child.Process.Pid, -1000)
	put(t, root, map[string]string{"cgroups": "#subsys_name\thierarchy\tnum_cgroups\tenabled\n"})
	return root
}

// asCgroup is a policy by which everybody dies with its cgroup.
func asCgroup() engine.Policy {
	p := engine.Linux()
	p.Victim.Rules = []victim.Rule{{Death: victim.AsCgroup}}
	return p
}

// More than there is room for in a tree: they die at once all the same.
func TestCgroupDiesAsAWhole(t *testing.T) {
	path, pids := crowd(t, treeSize+100)
	root := emptyMachine(t)
	large(t, root, pids[0], 0)
	put(t, root, map[string]string{fmt.Sprint(pids[0]) + "/cgroup": "0::" + path + "\n"})
	note, o := killFor(t, root, asCgroup())
	if note != engine.KillDone || o.Members != len(pids)-1 || o.Spared != 0 {
		t.Errorf("%v: %d members, %d spared", note, o.Members, o.Spared)
	}
	for _, pid := range pids {
		if running(pid) {
			t.Fatalf("pid %d lives", pid)
		}
	}
	t.Logf("%d processes: signal took %v, gone after %v", len(pids), o.SignalTook, o.ExitedAt-o.SignalledAt)
}

// Whoever is protected lives on in a cgroup that dies.
func TestProtectedMemberOfACgroupLives(t *testing.T) {
	path, pids := crowd(t, 5)
	root := emptyMachine(t)
	for _, pid := range pids {
		large(t, root, pid, 0)
		put(t, root, map[string]string{fmt.Sprint(pid) + "/cgroup": "0::" + path + "\n"})
	}
	put(t, root, map[string]string{fmt.Sprint(pids[2]) + "/stat": renamed(t, pids[2], "holy")})
	p := asCgroup()
	p.Victim.Never = []string{"holy"}
	note, o := killFor(t, root, p)
	if note != engine.KillDone || o.Members != 3 || o.Spared != 1 {
		t.Errorf("%v: %d members, %d spared", note, o.Members, o.Spared)
	}
	for i, pid := range pids {
		if running(pid) != (i == 2) {
			t.Errorf("member %d runs: %v", i, running(pid))
		}
	}
}
