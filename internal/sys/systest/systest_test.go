package systest

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { Main(m) }

func TestForkedChildExitsWithItsCode(t *testing.T) {
	n := New(t)
	pid := n.Fork()
	n.Exit(pid, 7)
	if status := unix.WaitStatus(n.Reap(pid)); status.ExitStatus() != 7 {
		t.Errorf("exit code %d, want 7", status.ExitStatus())
	}
	if n.Stamp(pid) <= 0 {
		t.Error("the child left no stamp")
	}
}

func TestForkAsTakesThePid(t *testing.T) {
	n := New(t)
	pid := n.Fork()
	n.Exit(pid, 0)
	n.Reap(pid)
	n.ForkAs(pid)
	n.Exit(pid, 9)
	if status := unix.WaitStatus(n.Reap(pid)); status.ExitStatus() != 9 {
		t.Errorf("exit code %d, want 9", status.ExitStatus())
	}
}

func TestCrowdIsReleasedOneByOne(t *testing.T) {
	n := New(t)
	pids := n.Crowd(20)
	n.Release(20)
	for _, pid := range pids {
		n.Reap(pid)
	}
}

func TestProgramExecsFromAThread(t *testing.T) {
	n := New(t)
	pid, tid := n.Program()
	if pid == tid {
		t.Fatalf("thread %d is the leader", tid)
	}
	n.Tell(pid, "exec")
	if n.Ready(pid); pid == tid {
		t.Error("the thread after the exec is the leader")
	}
	n.Tell(pid, "leave")
	n.Hear(pid)
	n.Tell(pid, "exit 3")
	if status := unix.WaitStatus(n.Reap(pid)); status.ExitStatus() != 3 {
		t.Errorf("exit code %d, want 3", status.ExitStatus())
	}
}

func TestRerunWithoutRoot(t *testing.T) {
	if !Again(t) {
		Rerun(t, WithoutRoot())
		return
	}
	if os.Getuid() == 0 {
		t.Error("still root")
	}
}

func TestRerunInPidNamespace(t *testing.T) {
	if !Again(t) {
		Rerun(t, InPidNamespace())
		return
	}
	if os.Getpid() != 1 {
		t.Errorf("pid %d, want 1", os.Getpid())
	}
}

func TestRerunDenied(t *testing.T) {
	if !Again(t) {
		Rerun(t, Denied("pidfd_open"))
		return
	}
	if _, err := unix.PidfdOpen(os.Getpid(), 0); err != unix.ENOSYS {
		t.Errorf("pidfd_open: %v, want ENOSYS", err)
	}
}
