package kill_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/internal/sys/systest"
	"github.com/lmkd/lmkd/pkg/exitwait"
	"github.com/lmkd/lmkd/pkg/kill"
)

// until yields to the kernel until the condition holds; the test binary's own
// limit ends a vain wait.
func until(t testing.TB, holds func() bool) {
	t.Helper()
	bell, err := sys.NewEventfd()
	if err != nil {
		t.Fatal(err)
	}
	defer bell.Close()
	for !holds() {
		_, _ = sys.PollFor(bell.Fd(), 1)
	}
}

func TestDeafToSIGTERM(t *testing.T) {
	p := victim(t, "deaf 16")
	o := kill.Expedited(patience)
	o.Signal, o.Escalate = sys.SIGTERM, 50*time.Millisecond
	out := killed(t, p, o)
	expectGone(t, out)
	if !out.Signal.OK() || !out.Escalate.OK() || out.Escalate.Start-out.Signal.Start < o.Escalate {
		t.Fatalf("signal %+v, escalation %+v", out.Signal, out.Escalate)
	}
}

func TestHearsSIGTERM(t *testing.T) {
	p := victim(t, "hold 16")
	o := kill.Expedited(patience)
	o.Signal, o.Escalate = sys.SIGTERM, patience
	out := killed(t, p, o)
	if out.Fate != kill.Gone || out.Escalate.Taken() || out.Reclaim.Taken() {
		t.Fatalf("%+v", out)
	}
}

func TestDeafAndNotEscalated(t *testing.T) {
	p := victim(t, "deaf 1")
	out := killed(t, p, kill.Options{Signal: sys.SIGTERM, Timeout: 10 * time.Millisecond})
	if out.Fate != kill.Alive || out.Wait.Errno != sys.ETIMEDOUT || out.MemoryBack {
		t.Fatalf("%+v", out)
	}
	living(t, p.Process)
}

func TestStopped(t *testing.T) {
	p, _ := boxed(t, 128, "hold 64")
	stop(t, p)
	out := killed(t, p, kill.Expedited(patience))
	expectGone(t, out)
	if out.Freed.By != kill.ByCharge || out.Freed.Bytes < 60<<20 {
		t.Fatalf("freed %+v, want 64 MB by the charge", out.Freed)
	}
}

func TestThousandThreads(t *testing.T) {
	p := victim(t, "threads 1000")
	out := killed(t, p, kill.Expedited(patience))
	expectGone(t, out)
}

// Two gigabytes, or a quarter of a smaller machine.
func TestBigOneMapper(t *testing.T) {
	mb := min(2048, availableMB(t)/4)
	p, _ := boxed(t, mb+64, "hold "+strconv.Itoa(mb))
	out := killed(t, p, kill.Expedited(patience))
	expectGone(t, out)
	if out.Freed.By != kill.ByCharge || out.Freed.Bytes < uint64(mb)<<20/16*15 {
		t.Fatalf("freed %+v of %d MB", out.Freed, mb)
	}
}

func availableMB(t testing.TB) int {
	t.Helper()
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "MemAvailable:"); ok {
			kb, _ := strconv.Atoi(strings.Fields(rest)[0])
			return kb >> 10
		}
	}
	t.Fatal("no MemAvailable")
	return 0
}

// busy starts a spinner for every processor.
func busy(t testing.TB) {
	t.Helper()
	for range runtime.NumCPU() {
		victim(t, "spin")
	}
}

func TestIdleClassBesideBusyProcessors(t *testing.T) {
	p, _ := boxed(t, 128, "hold 64")
	idle(t, p.PID())
	busy(t)
	out := killed(t, p, kill.Expedited(patience))
	expectGone(t, out)
}

// idle gives every thread of the process the idle class.
func idle(t testing.TB, pid int) {
	t.Helper()
	reclass(t, pid, sys.IdleSched())
}

// A living victim shows what a boost does to the threads; only the test may
// boost the living.
func TestBoostLiftsTheClass(t *testing.T) {
	p := victim(t, "hold 1")
	idle(t, p.PID())
	one := sys.MakeCPUSet(0)
	if e := sys.SetCPUs(p.PID(), &one); e != 0 {
		t.Fatal(e)
	}
	v, err := kill.Open(p)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	b := v.Lift()
	if b.Threads == 0 || b.Refused != 0 {
		t.Fatalf("%+v", b)
	}
	s, e := sys.GetSched(p.PID())
	if e != 0 || s.Policy() != sys.SchedOther || s.Nice() != -20 {
		t.Fatalf("policy %d, nice %d, %v", s.Policy(), s.Nice(), e)
	}
	var cpus sys.CPUSet
	if e := sys.GetCPUs(p.PID(), &cpus); e != 0 || cpus.Count() != runtime.NumCPU() {
		t.Fatalf("%d processors, %v", cpus.Count(), e)
	}
}

// The quota of the victim's own cgroup is lifted while it dies, and is back
// when it is gone.
func TestThrottledToOnePercent(t *testing.T) {
	if emulated && !sys.KernelAtLeast(sys.KernelRelease(), 6, 12) {
		t.Skip("1 ms in 100 of an emulated processor stood still for good now and then on 5.10 and 6.1, for a reason not known")
	}
	c := newCgroup(t, "cpu")
	file, quota, free := "cpu.cfs_quota_us", "1000", "-1"
	if c.v2 {
		file, quota, free = "cpu.max", "1000 100000", "max 100000"
	}
	p := victim(t, "hold 64")
	c.set(t, file, quota)
	c.join(t, p.PID())
	v, err := kill.Open(p)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	b := v.Lift()
	if got := c.get(t, file); got != free || len(b.Settings) != 1 || b.Settings[0].Old != quota {
		t.Fatalf("%s is %q during the boost: %+v", file, got, b)
	}
	if err := b.Undo(); err != nil || c.get(t, file) != quota {
		t.Fatalf("%s is %q after the boost: %v", file, c.get(t, file), err)
	}
	expectGone(t, killed(t, p, kill.Expedited(patience)))
	if got := c.get(t, file); got != quota {
		t.Fatalf("%s is %q after the kill", file, got)
	}
}

// What somebody else changed meanwhile is not undone.
func TestUndoRespectsOthers(t *testing.T) {
	c := newCgroup(t, "cpu")
	file, quota, other := "cpu.cfs_quota_us", "5000", "7000"
	if c.v2 {
		file, quota, other = "cpu.max", "5000 100000", "7000 100000"
	}
	p := victim(t, "hold 1")
	c.set(t, file, quota)
	c.join(t, p.PID())
	v, err := kill.Open(p)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	b := v.Lift()
	c.set(t, file, other)
	if err := b.Undo(); err != nil || c.get(t, file) != other {
		t.Fatalf("%s is %q: %v", file, c.get(t, file), err)
	}
}

// On v1 the frozen do not die. Without a boost the victim stays, and its memory
// comes back all the same; a boost moves it, alone, to where it can die.
func TestFrozen(t *testing.T) {
	c := newCgroup(t, "freezer")
	p, _ := boxed(t, 128, "hold 64")
	other := victim(t, "hold 1")
	c.join(t, p.PID())
	c.join(t, other.PID())
	if c.v2 {
		c.set(t, "cgroup.freeze", "1")
		until(t, func() bool { return strings.Contains(c.get(t, "cgroup.events"), "frozen 1") })
	} else {
		c.set(t, "freezer.state", "FROZEN")
		until(t, func() bool { return c.get(t, "freezer.state") == "FROZEN" })
		t.Cleanup(func() { c.set(t, "freezer.state", "THAWED") })
		frozenV1(t, p)
	}
	out := killed(t, p, kill.Expedited(patience))
	expectGone(t, out)
	if out.Boost.Thawed == c.v2 {
		t.Fatalf("thawed: %v", out.Boost.Thawed)
	}
	if !c.v2 && c.get(t, "freezer.state") != "FROZEN" {
		t.Fatal("the others were thawed, too")
	}
	living(t, other.Process)
}

// frozenV1 kills a frozen victim without a boost.
func frozenV1(t *testing.T, p prey) {
	t.Helper()
	o := kill.Expedited(patience)
	o.Boost, o.StuckAfter = false, time.Millisecond
	out := killed(t, p, o)
	if out.Fate != kill.Stuck || !out.MemoryBack || out.Condition.Holds&kill.FrozenV1 == 0 {
		t.Fatalf("%v, memory back %v, %v: want it stuck, frozen, and without memory", out.Fate, out.MemoryBack, out.Condition.Holds)
	}
	if out.Wait.Took >= patience {
		t.Fatal("the wait was not ended early")
	}
}

// A twin that lives keeps the memory: that is said. Killed too, it does not.
func TestTwinAlive(t *testing.T) {
	p := victim(t, "twin 32")
	out := killed(t, p, kill.Expedited(patience))
	if len(out.Twins) != 1 || out.MemoryBack || out.Condition.Holds&kill.Shared == 0 || out.Twins[0].Vfork || len(out.Killed) != 0 {
		t.Fatalf("%v, twins %v, memory back %v, %v", out.Fate, out.Twins, out.MemoryBack, out.Condition.Holds)
	}
	if e := out.Reclaim.Errno; e != reclaimSays(sys.EINVAL) && e != reclaimSays(sys.ESRCH) {
		t.Fatalf("reclaim: %v", e)
	}
	endTwin(t, out.Twins[0].PID)
}

// endTwin kills what a victim left.
func endTwin(t *testing.T, pid int) {
	t.Helper()
	twin, err := exitwait.Open(pid)
	if errors.Is(err, exitwait.ErrGone) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer twin.Close()
	out := killed(t, twin, kill.Expedited(patience))
	if out.Fate == kill.Gone && out.Signal.Errno == sys.ESRCH {
		return // it ended after the look
	}
	expectGone(t, out)
}

func TestTwinKilledToo(t *testing.T) {
	p := victim(t, "twin 32")
	o := kill.Expedited(patience)
	o.KillTwin = func(int) bool { return true }
	out := killed(t, p, o)
	if len(out.Killed) != 1 || out.Fate != kill.Gone {
		t.Fatalf("%v, killed %v", out.Fate, out.Killed)
	}
	endTwin(t, out.Killed[0]) // gone, or about to be
}

func TestVforkParent(t *testing.T) {
	p := victim(t, "vfork 32")
	v, err := kill.Open(p)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	until(t, func() bool {
		twins, err := v.Twins()
		if err != nil {
			t.Fatal(err)
		}
		return len(twins) == 1 && twins[0].Vfork
	})
	o := kill.Expedited(patience)
	o.KillTwin = func(int) bool { return true }
	out := killed(t, p, o)
	if out.Fate != kill.Gone || len(out.Killed) != 1 {
		t.Fatalf("%v, killed %v", out.Fate, out.Killed)
	}
	endTwin(t, out.Killed[0])
}

// A tracer of a thread that is not the first has to take note of its end, and
// until then the process is not gone. Its memory is.
func TestTraced(t *testing.T) {
	p, _ := boxed(t, 128, "hold 64")
	release := traceThread(t, p.PID())
	o := kill.Expedited(patience)
	o.StuckAfter = time.Millisecond
	out := killed(t, p, o)
	if out.Fate != kill.Stuck || !out.MemoryBack || out.Condition.Holds&kill.Traced == 0 {
		t.Fatalf("%v, memory back %v, %+v", out.Fate, out.MemoryBack, out.Condition)
	}
	if _, err := os.Stat("/proc/self/task/" + strconv.Itoa(out.Condition.Tracer)); err != nil {
		t.Fatalf("the tracer %d is no thread of ours: %v", out.Condition.Tracer, err)
	}
	release()
	v, err := kill.Open(p)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if _, err := v.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// traceThread seizes a thread that is not the leader, from a thread of its own
// that keeps it until released.
func traceThread(t *testing.T, pid int) (release func()) {
	t.Helper()
	seized, over := make(chan sys.Errno), make(chan struct{})
	go func() {
		runtime.LockOSThread() // its end lets the tracee go
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
	done := false
	release = func() {
		if !done {
			done = true
			close(over)
		}
	}
	t.Cleanup(release)
	return release
}

// A file server that does not answer: nothing ends the victim's sleep, and its
// memory comes back all the same.
func TestUninterruptible(t *testing.T) {
	dir, asked, hangUp := deadServer(t)
	p, _ := boxed(t, 128, "visit 64 "+dir)
	<-asked
	o := kill.Expedited(patience)
	o.StuckAfter = time.Millisecond
	if !reclaims {
		o.Timeout = 100 * time.Millisecond // nothing can bring the memory back
	}
	out := killed(t, p, o)
	if out.Fate != kill.Stuck || out.MemoryBack != reclaims || out.Condition.Holds&kill.Uninterruptible == 0 {
		t.Errorf("%v, memory back %v, %+v", out.Fate, out.MemoryBack, out.Condition)
	}
	if reclaims && (!out.Reclaim.OK() || out.Reclaimed.Bytes < 60<<20) {
		t.Errorf("reclaim %+v, %+v", out.Reclaim, out.Reclaimed)
	}
	hangUp()
	if _, err := p.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestZombieLeader(t *testing.T) {
	p := victim(t, "headless 32")
	v, err := kill.Open(p)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	until(t, func() bool { return v.Look().Holds&kill.ZombieLeader != 0 })
	if c, m := v.Look(), v.Memory(); c.Dead || c.Dying || m.Anonymous < 32<<20 {
		t.Fatalf("%+v holding %+v", c, m)
	}
	expectGone(t, killed(t, p, kill.Expedited(patience)))
}

func TestInitOfANamespace(t *testing.T) {
	w := systest.InPidNamespace()
	p := raise(t, "forks 1", &w)
	v, err := kill.Open(p)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if c := v.Look(); c.Holds&kill.NamespaceInit == 0 {
		t.Fatalf("%+v", c)
	}
	expectGone(t, killed(t, p, kill.Expedited(patience)))
}

// The pid goes to another process between the look and the signal.
func TestPidReused(t *testing.T) {
	n := systest.New(t)
	pid := n.Fork()
	p, err := exitwait.Open(pid)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	v, err := kill.Open(p)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	n.Exit(pid, 0)
	n.Reap(pid)
	n.ForkAs(pid)
	stranger, err := exitwait.Open(pid)
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	if s := v.Signal(sys.SIGKILL); s.Errno != sys.ESRCH {
		t.Errorf("signal: %v, want ESRCH", s.Errno)
	}
	if b := v.Lift(); b.Threads != 0 {
		t.Errorf("boosted a stranger: %+v", b)
	}
	if m := v.Memory(); m.Attached {
		t.Errorf("measured a stranger: %+v", m)
	}
	if out := killed(t, p, kill.Expedited(patience)); out.Fate != kill.Gone {
		t.Errorf("%v", out.Fate)
	}
	living(t, stranger)
}

func TestVanishedBeforeOpen(t *testing.T) {
	n := systest.New(t)
	pid := n.Fork()
	p, err := exitwait.Open(pid)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	n.Exit(pid, 0)
	n.Reap(pid)
	if _, err := kill.Open(p); !errors.Is(err, kill.ErrGone) {
		t.Fatalf("open: %v, want ErrGone", err)
	}
	if out := killed(t, p, kill.Expedited(patience)); out.Fate != kill.Gone || out.Signal.Errno != sys.ESRCH {
		t.Fatalf("%+v", out)
	}
}

// A user's signal to root's process: SIGURG, so that nothing is lost should it
// be permitted.
func TestNotPermitted(t *testing.T) {
	if !systest.Again(t) {
		systest.Rerun(t, systest.WithoutRoot())
		return
	}
	p, err := exitwait.Open(os.Getppid())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	out, err := kill.Kill(t.Context(), p, kill.Options{Signal: sys.SignalNumber("URG")})
	if !errors.Is(err, os.ErrPermission) || out.Signal.Errno != sys.EPERM || out.Fate != kill.Alive {
		t.Fatalf("%v: %+v", err, out)
	}
	if !strings.Contains(err.Error(), "send SIGURG to "+strconv.Itoa(p.PID())) {
		t.Fatal(err)
	}
}

// Linux before 5.15: the victim frees its memory itself.
func TestWithoutMrelease(t *testing.T) {
	if !systest.Again(t) {
		systest.Rerun(t, systest.Denied("process_mrelease"))
		return
	}
	p, _ := boxed(t, 128, "hold 64")
	out := killed(t, p, kill.Expedited(patience))
	expectGone(t, out)
	if out.Reclaim.Errno != sys.ENOSYS || out.Reclaim.Attempts != 1 || out.Freed.Bytes < 60<<20 {
		t.Fatalf("%+v", out)
	}
}

// Linux 5.1 and 5.2, and sandboxes that forbid it: the signal goes through
// /proc, the exit is told by another source.
func TestWithoutPidfdOpen(t *testing.T) {
	if !systest.Again(t) {
		systest.Rerun(t, systest.Denied("pidfd_open"))
		return
	}
	p := victim(t, "hold 16")
	out := killed(t, p, kill.Options{Expedite: true})
	if out.Fate != kill.Gone || !out.Signal.OK() || out.Reclaim.Errno != reclaimSays(sys.EBADF) {
		t.Fatalf("%+v", out)
	}
}

// Linux before 5.1: no signal can be sent that could not reach a stranger.
func TestWithoutPidfdSignal(t *testing.T) {
	if !systest.Again(t) {
		systest.Rerun(t, systest.Denied("pidfd_send_signal"))
		return
	}
	n := systest.New(t)
	p, err := exitwait.Open(n.Fork())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	out, err := kill.Kill(t.Context(), p, kill.Expedited(patience))
	if !errors.Is(err, sys.ENOSYS) || out.Fate != kill.Alive {
		t.Fatalf("%v: %+v", err, out)
	}
	living(t, p)
}

func TestWithoutKcmp(t *testing.T) {
	if !systest.Again(t) {
		systest.Rerun(t, systest.Denied("kcmp"))
		return
	}
	p := victim(t, "twin 1")
	twin := childOf(t, p.PID())
	out := killed(t, p, kill.Expedited(patience))
	endTwin(t, twin)
	if len(out.Notes) == 0 || !strings.Contains(out.Notes[0], "shares the memory") {
		t.Fatalf("notes %q, want what could not be looked for", out.Notes)
	}
}

// childOf gives the only child of a process.
func childOf(t testing.TB, pid int) int {
	t.Helper()
	files, err := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/children")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, _ := os.ReadFile(file)
		if child, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
			return child
		}
	}
	t.Fatalf("process %d has no child", pid)
	return 0
}
