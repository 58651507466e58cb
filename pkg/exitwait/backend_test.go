package exitwait

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/internal/sys/systest"
)

func TestBackendNames(t *testing.T) {
	for b := Auto; b <= Poll; b++ {
		if got, err := ParseBackend(b.String()); err != nil || got != b {
			t.Errorf("%v: %v, %v", b, got, err)
		}
	}
	if _, err := ParseBackend("signal"); err == nil || !strings.Contains(err.Error(), `"signal"`) {
		t.Errorf("an unknown name: %v", err)
	}
	if _, err := Open(os.Getpid(), With(Backend(9))); !errors.Is(err, sys.EINVAL) {
		t.Errorf("an unknown backend: %v", err)
	}
}

func TestProbeFindsAllBackends(t *testing.T) {
	for b := Auto; b <= Poll; b++ {
		if err := Probe(b); err != nil {
			t.Errorf("%v: %v", b, err)
		}
	}
}

func TestPollNeedsAnInterval(t *testing.T) {
	if _, err := Open(os.Getpid(), With(Poll)); !errors.Is(err, errNoInterval) {
		t.Errorf("Open: %v, want %v", err, errNoInterval)
	}
}

// TestWithoutPidfd stands for kernels before 5.3: Auto takes the connector.
func TestWithoutPidfd(t *testing.T) {
	if !systest.Again(t) {
		systest.Rerun(t, systest.Denied("pidfd_open"))
		return
	}
	n := systest.New(t)
	pid := n.Fork()
	p, err := Open(pid)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, ok := p.src.(*listener); !ok {
		t.Errorf("Auto took %T, want the connector", p.src)
	}
	n.Exit(pid, 3)
	if exit, err := p.Wait(context.Background()); err != nil || exit.Code() != 3 {
		t.Errorf("Wait: %v, %v", exit, err)
	}
}

// TestWithoutPidfdAndConnector stands for an old kernel and a container: Auto
// polls if it may, and else says all that it tried.
func TestWithoutPidfdAndConnector(t *testing.T) {
	if !systest.Again(t) {
		w := systest.InPidNamespace()
		w.Env = append(w.Env, systest.Denied("pidfd_open").Env...)
		systest.Rerun(t, w)
		return
	}
	n := systest.New(t)
	pid := n.Fork()
	_, err := Open(pid)
	if !errors.Is(err, sys.ENOSYS) || !errors.Is(err, sys.EPERM) || !errors.Is(err, errNoInterval) {
		t.Errorf("Open: %v, want all three reasons", err)
	}
	t.Log(err)
	p, err := Open(pid, Every(time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, ok := p.src.(*poller); !ok {
		t.Errorf("Auto took %T, want poll", p.src)
	}
	n.Exit(pid, 3)
	if exit, err := p.Wait(context.Background()); err != nil || exit.Code() != 3 {
		t.Errorf("Wait: %v, %v", exit, err)
	}
}

// TestConnectorElsewhere asks for the precise errors.
func TestConnectorElsewhere(t *testing.T) {
	_, err := Open(os.Getpid(), With(Connector))
	if !systest.Again(t) {
		if err != nil {
			t.Errorf("in the initial namespaces: %v", err)
		}
		for _, w := range []systest.World{systest.InPidNamespace(), systest.InNetNamespace(), systest.InUserNamespace()} {
			systest.Rerun(t, w)
		}
		return
	}
	if err == nil || !strings.Contains(err.Error(), "namespace") ||
		!errors.Is(err, sys.EPERM) && !errors.Is(err, sys.ECONNREFUSED) {
		t.Errorf("Open: %v, want the namespace named", err)
	}
	t.Log(err)
}

// TestStatusNeedsPermission: to one who may not inspect a zombie, stat shows the
// code 0, which must not pass for an exit with code 0.
func TestStatusNeedsPermission(t *testing.T) {
	if pid := os.Getenv("EXITWAIT_ZOMBIE"); systest.Again(t) {
		h, err := ParseHandle(pid)
		if err != nil {
			t.Fatal(err)
		}
		p, err := Open(h.PID)
		if err != nil {
			t.Fatal(err)
		}
		if exit, err := p.TryWait(); err != nil || exit.Known {
			t.Errorf("TryWait: %v, %v; want a status that is not known", exit, err)
		}
		return
	}
	n := systest.New(t)
	pid := n.Fork()
	n.Exit(pid, 5)
	until(t, pid, func(st stat) bool { return st.dead() })
	w := systest.WithoutRoot()
	w.Env = append(w.Env, "EXITWAIT_ZOMBIE="+Handle{PID: pid}.String())
	systest.Rerun(t, w)
}

// TestStatusAfterReaping: from 6.15 on the kernel keeps it for open pidfds.
func TestStatusAfterReaping(t *testing.T) {
	n := systest.New(t)
	pid := n.Fork()
	p, err := Open(pid)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	n.Exit(pid, 5)
	n.Reap(pid)
	exit, err := p.TryWait()
	want := Exit{}
	if sys.KernelAtLeast(sys.KernelRelease(), 6, 15) {
		want = Exit{Known: true, Status: code(5)}
	}
	if err != nil || exit != want {
		t.Errorf("TryWait: %v, %v; want %v on %s", exit, err, want, sys.KernelRelease())
	}
}

func TestInodeIsTheIdentity(t *testing.T) {
	n := systest.New(t)
	pid := n.Fork()
	p, err := Open(pid)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	h, err := p.Handle()
	if err != nil {
		t.Fatal(err)
	}
	if has := h.Inode != 0; has != sys.KernelAtLeast(sys.KernelRelease(), 6, 9) {
		t.Errorf("handle %v on %s", h, sys.KernelRelease())
	}
	q, err := Reopen(Handle{PID: pid, Inode: h.Inode + 1})
	if h.Inode == 0 {
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("Reopen by an inode without pidfs: %v, %v", q, err)
		}
		return
	}
	if !errors.Is(err, errSuccessor) {
		t.Errorf("Reopen by another inode: %v, %v", q, err)
	}
	q, err = Reopen(Handle{PID: pid, Inode: h.Inode})
	if err != nil {
		t.Fatal(err)
	}
	_ = q.Close()
}

func TestReopenAfterABoot(t *testing.T) {
	h := Handle{PID: os.Getpid(), Boot: someBoot}
	if _, err := Reopen(h); !errors.Is(err, ErrGone) || !errors.Is(err, errOtherBoot) {
		t.Errorf("Reopen: %v, want %v", err, errOtherBoot)
	}
}

// TestReopenInAnotherProgram is the survival of a restart: one program writes
// the handle down, another one waits.
func TestReopenInAnotherProgram(t *testing.T) {
	if text := os.Getenv("EXITWAIT_HANDLE"); systest.Again(t) {
		h, err := ParseHandle(text)
		if err != nil {
			t.Fatal(err)
		}
		p, err := Reopen(h)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		if exit, err := p.Wait(context.Background()); err != nil || exit.Code() != 6 {
			t.Errorf("Wait: %v, %v; want exit code 6", exit, err)
		}
		return
	}
	n := systest.New(t)
	pid := n.Fork()
	p, err := Open(pid)
	if err != nil {
		t.Fatal(err)
	}
	h, err := p.Handle()
	if err != nil {
		t.Fatal(err)
	}
	_ = p.Close()
	n.Exit(pid, 6) // its zombie keeps the status
	systest.Rerun(t, systest.World{Env: []string{"EXITWAIT_HANDLE=" + h.String()}})
}
