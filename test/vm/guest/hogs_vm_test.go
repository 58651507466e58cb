//go:build vm

package guest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/test/vm/guest"
)

func hog(t *testing.T, name string, args ...string) *guest.Process {
	t.Helper()
	p, err := guest.Hog(name, args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

// TestSlowdie holds each way of dying slowly against what it promises: the
// pidfd is not ready when the SIGKILL has been sent, and is ready in the end.
func TestSlowdie(t *testing.T) {
	for _, how := range []string{"freeze", "throttle", "maps"} {
		t.Run(how, func(t *testing.T) {
			p := hog(t, "slow", "slowdie", "-mb", "60", "-how", how)
			if err := p.WaitReady(limit); err != nil {
				t.Fatal(err)
			}
			if how == "freeze" && !guest.Until(limit, func() bool { return state(p.PID) == "D" }) {
				t.Fatal("the victim never came to its uninterruptible sleep")
			}
			fd, e := sys.PidfdOpen(p.PID)
			if e != 0 {
				t.Fatal(e)
			}
			defer func() { _ = fd.Close() }()
			before := mark(t)
			if e := sys.PidfdSignal(fd.Int(), sys.SIGKILL); e != 0 {
				t.Fatal(e)
			}
			if ready, e := sys.PollIn(fd.Int()); e != 0 || ready != 0 {
				t.Errorf("pidfd right after SIGKILL: ready %#x, %v", ready, e)
			}
			if how == "freeze" {
				mrelease(t, fd.Int())
			}
			if ready, e := sys.PollFor(fd.Int(), int(limit.Milliseconds())); e != 0 || ready == 0 {
				t.Errorf("pidfd in the end: ready %#x, %v", ready, e)
			}
			t.Logf("%s: %s from SIGKILL to exit", how, mark(t).At-before.At)
		})
	}
}

// mrelease takes the memory of a victim that is stuck, where the kernel can.
func mrelease(t *testing.T, pidfd int) {
	before := mark(t)
	e := sys.ProcessMrelease(pidfd)
	if e == sys.ENOSYS {
		t.Log("process_mrelease: too old a kernel")
		return
	}
	if e != 0 {
		t.Errorf("process_mrelease of the stuck victim: %v", e)
	}
	after := mark(t)
	t.Logf("process_mrelease: %d MB more available after %s", (int64(after.Available)-int64(before.Available))>>20, after.At-before.At)
	if ready, _ := sys.PollIn(pidfd); ready != 0 {
		t.Error("the victim was gone by then")
	}
}

// state gives the state letter of a process, "" when it is gone.
func state(pid int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	return rest[:min(1, len(rest))]
}

// TestHogsGrow holds the hogs that take memory against the kernel's figures.
func TestHogsGrow(t *testing.T) {
	for _, args := range [][]string{
		{"leak", "-mb", "96"}, {"bomb", "-mb", "96"}, {"sigterm", "-mb", "96"}, {"finite", "-mb", "96"},
		{"tmpfs"}, {"forks"}, {"breathe", "-mb", "96"},
	} {
		t.Run(args[0], func(t *testing.T) {
			before := mark(t)
			p := hog(t, "hog", args...)
			grown := func() bool { return mark(t).Available+60<<20 < before.Available }
			if !guest.Until(limit, grown) {
				t.Errorf("%s took %d MB only", args[0], (before.Available-mark(t).Available)>>20)
			}
			if args[0] == "sigterm" {
				refusesToDie(t, p)
			}
			p.Kill()
			back := func() bool { cleanUp(t); return mark(t).Available+16<<20 > before.Available }
			if !guest.Until(limit, back) {
				t.Error("its memory did not come back")
			}
		})
	}
}

// refusesToDie sends SIGTERM and sees the kernel report it as ignored.
func refusesToDie(t *testing.T, p *guest.Process) {
	if err := p.Terminate(); err != nil {
		t.Error(err)
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID))
	if err != nil || !strings.Contains(string(b), "SigIgn:\t0000000000004002") {
		t.Errorf("SIGTERM and SIGINT are not ignored: %v", err)
	}
	if !p.Alive() {
		t.Errorf("SIGTERM ended it: %s", p.Fate())
	}
}

// cleanUp removes what outlives its hog: files on tmpfs, children.
func cleanUp(t *testing.T) {
	files, err := filepath.Glob("/dev/shm/hog-*")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if err := os.Remove(f); err != nil {
			t.Error(err)
		}
	}
	dirs, err := filepath.Glob("/proc/[0-9]*/comm")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range dirs {
		if b, err := os.ReadFile(f); err == nil && string(b) == "hog-child\n" {
			killPID(t, filepath.Base(filepath.Dir(f)))
		}
	}
}

func killPID(t *testing.T, pid string) {
	var n int
	if _, err := fmt.Sscan(pid, &n); err != nil {
		t.Fatal(err)
	}
	p, err := os.FindProcess(n)
	if err == nil {
		_ = p.Kill() // an orphan that went by itself is fine
	}
}

// TestThreads counts them.
func TestThreads(t *testing.T) {
	p := hog(t, "many", "threads", "-n", "300")
	if err := p.WaitReady(limit); err != nil {
		t.Fatal(err)
	}
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", p.PID))
	if err != nil || len(tasks) < 300 {
		t.Errorf("%d threads, %v", len(tasks), err)
	}
	switches, err := guest.Switches(p.PID)
	if err != nil || switches < 300 {
		t.Errorf("%d switches of 300 threads, %v", switches, err)
	}
}

// TestThrash sees a working set that does not fit stall the machine, and a
// stream that only passes through not bring it to its knees.
func TestThrash(t *testing.T) {
	if _, err := os.Stat("/bulk/bulk"); err != nil {
		t.Fatal("run this with -bulk 768: ", err)
	}
	stalled := func(what string, args ...string) guest.Pressure {
		before := mark(t)
		p := hog(t, what, args...)
		guest.Until(20*time.Second, func() bool { return !p.Alive() })
		after := mark(t)
		s := after.Stalled(before)
		t.Logf("%s, %s: %s, full %s, some %s, %d MB available, %d OOM kills", what, after.At-before.At, p.Fate(),
			s.Full, s.Some, after.Available>>20, after.OOMKills-before.OOMKills)
		p.Kill()
		return s
	}
	stream := stalled("stream", "stream")
	thrash := stalled("thrash", "thrash")
	if thrash.Full <= stream.Full {
		t.Errorf("thrashing stalled the machine for %s, a stream for %s", thrash.Full, stream.Full)
	}
}

// TestOut leaves a result file for the host, larger than one frame; the runner
// brings it below -out.
func TestOut(t *testing.T) {
	f, err := guest.Out("traces/large")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(strings.Repeat("0123456789abcde\n", 64<<10)); err != nil {
		t.Error(err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}
