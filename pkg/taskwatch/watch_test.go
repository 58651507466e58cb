package taskwatch

import (
	"context"
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/internal/sys/systest"
)

func TestMain(m *testing.M) { systest.Main(m) }

// eye is a Watcher under test.
type eye struct {
	*testing.T
	*Watcher
	unread []Event
}

func open(t *testing.T, c Config) *eye {
	t.Helper()
	w, err := Watch(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	return &eye{T: t, Watcher: w}
}

// next reads up to the next event that is as wanted.
func (e *eye) next(want func(*Event) bool) Event {
	e.Helper()
	var batch [16]Event
	for {
		for len(e.unread) > 0 {
			ev := e.unread[0]
			if e.unread = e.unread[1:]; want(&ev) {
				return ev
			}
		}
		n, err := e.Read(context.Background(), batch[:])
		if err != nil {
			e.Fatal(err)
		}
		e.unread = append(e.unread, batch[:n]...)
	}
}

// of gives the next event of a kind that process tgid has.
func (e *eye) of(kind Kind, tgid int) Event {
	e.Helper()
	return e.next(func(ev *Event) bool { return ev.Kind == kind && ev.TGID == tgid })
}

func TestEventsOfALife(t *testing.T) {
	e := open(t, Config{})
	began := sys.Now()
	n := systest.New(t)
	pid, tid := n.Program()
	if ev := e.of(Fork, pid); ev.PID != pid || ev.ParentTGID != n.PID() || ev.Time < began || ev.Time > sys.Now() {
		t.Errorf("%+v, want a fork by %d", ev, n.PID())
	}
	if ev := e.of(Exec, pid); ev.PID != pid {
		t.Errorf("%+v", ev)
	}
	if ev := e.next(func(ev *Event) bool { return ev.Kind == Fork && ev.PID == tid }); !ev.Thread() || ev.TGID != pid {
		t.Errorf("%+v, want a thread of %d", ev, pid)
	}
	n.Tell(pid, "name ) Z 1 (")
	if ev := e.of(Comm, pid); ev.PID != tid || ev.Comm() != ") Z 1 (" {
		t.Errorf("%+v, want the name of thread %d", ev, tid)
	}
	n.Tell(pid, "session")
	e.of(SID, pid)
	n.Tell(pid, "gid 12")
	if ev := e.of(GID, pid); ev.PID != tid || ev.Real != 0 || ev.Effective != 12 {
		t.Errorf("%+v, want the effective gid 12", ev)
	}
	n.Tell(pid, "uid 13")
	if ev := e.of(UID, pid); ev.PID != tid || ev.Real != 0 || ev.Effective != 13 {
		t.Errorf("%+v, want the effective uid 13", ev)
	}
	n.Tell(pid, "exit 3")
	exit := e.next(func(ev *Event) bool { return ev.Kind == Exit && ev.PID == pid })
	if exit.Status != 3<<8 || exit.ParentTGID != n.PID() {
		t.Errorf("%+v, want an exit with code 3 of a child of %d", exit, n.PID())
	}
}

func TestCoredump(t *testing.T) {
	e := open(t, Config{Kinds: Coredump | Exit})
	n := systest.New(t)
	pid, _ := n.Program()
	n.Tell(pid, "abort")
	if ev := e.of(Coredump, pid); ev.ParentTGID != n.PID() {
		t.Errorf("%+v, want a core dump of a child of %d", ev, n.PID())
	}
	exit := e.next(func(ev *Event) bool { return ev.Kind == Exit && ev.PID == pid })
	const sigabrt = 6
	if exit.Status&0x7f != sigabrt {
		t.Errorf("%+v, want a death of SIGABRT", exit)
	}
}

func TestPtrace(t *testing.T) {
	e := open(t, Config{Kinds: Ptrace})
	n := systest.New(t)
	pid := n.Fork()
	over := make(chan struct{})
	go func() {
		defer close(over)
		runtime.LockOSThread() // never unlocked: its end ends the tracing
		if errno := sys.Seize(pid); errno != 0 {
			t.Errorf("seize: %v", errno)
		}
	}()
	<-over
	if ev := e.of(Ptrace, pid); ev.ParentTGID != os.Getpid() {
		t.Errorf("%+v, want a tracer of process %d", ev, os.Getpid())
	}
}

func TestFreeIsTheReaping(t *testing.T) {
	if err := freeIsTold(); errors.Is(err, errors.ErrUnsupported) != !sys.KernelAtLeast(sys.KernelRelease(), 6, 9) {
		t.Fatalf("free on %s: %v", sys.KernelRelease(), err)
	} else if err != nil {
		if w, watchErr := Watch(Config{Kinds: Free}); watchErr == nil || watchErr.Error() != err.Error() {
			t.Errorf("Watch: %v, %v; want %v", w, watchErr, err)
		}
		return
	}
	e := open(t, Config{Kinds: Exit | Free})
	n := systest.New(t)
	zombie, other := n.Fork(), n.Fork()
	n.Exit(zombie, 4)
	e.of(Exit, zombie)
	n.Exit(other, 5)
	n.Reap(other)
	first := e.next(func(ev *Event) bool { return ev.Kind == Free && (ev.TGID == zombie || ev.TGID == other) })
	if first.TGID != other || first.Status != 5<<8 {
		t.Errorf("%+v, want %d freed first, the other is a zombie", first, other)
	}
	n.Reap(zombie)
	if ev := e.of(Free, zombie); ev.Status != 4<<8 || ev.ParentTGID != n.PID() {
		t.Errorf("%+v", ev)
	}
	n.AutoReap()
	alone := n.Fork()
	n.Exit(alone, 6)
	if ev := e.of(Free, alone); ev.Status != 6<<8 {
		t.Errorf("%+v", ev)
	}
}

func TestFreeOfAProcessThatExecsFromAThread(t *testing.T) {
	if freeIsTold() != nil {
		return // said and tested above
	}
	e := open(t, Config{Kinds: Exec | Exit | Free})
	n := systest.New(t)
	pid, _ := n.Program()
	n.Tell(pid, "exec")
	n.Ready(pid)
	e.of(Exec, pid)
	n.Tell(pid, "exit 7")
	n.Reap(pid)
	ev := e.of(Free, pid)
	if ev.Status != 7<<8 {
		t.Errorf("%+v, want only the real end", ev)
	}
}

func TestWatchersShareOneSubscription(t *testing.T) {
	forks, exits := open(t, Config{Kinds: Fork}), open(t, Config{Kinds: Exit})
	if n := connectorSockets(t); n != 1 {
		t.Errorf("%d sockets for two watchers", n)
	}
	n := systest.New(t)
	pid := n.Fork()
	n.Exit(pid, 0)
	for want, e := range map[Kind]*eye{Fork: forks, Exit: exits} {
		ev := e.next(func(ev *Event) bool {
			if ev.Kind != want {
				t.Errorf("%+v to a watcher of %v", ev, want)
			}
			return ev.PID == pid
		})
		if ev.Kind != want {
			t.Errorf("%+v, want %v", ev, want)
		}
	}
}

// connectorSockets counts the netlink connector sockets of this process.
func connectorSockets(t *testing.T) int {
	t.Helper()
	table, err := os.ReadFile("/proc/self/net/netlink")
	if err != nil {
		t.Fatal(err)
	}
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	ours := map[string]bool{}
	for _, fd := range fds {
		target, _ := os.Readlink("/proc/self/fd/" + fd.Name())
		inode, ok := strings.CutPrefix(target, "socket:[")
		ours[strings.TrimSuffix(inode, "]")] = ok
	}
	n := 0
	for line := range strings.Lines(string(table)) {
		f := strings.Fields(line)
		if len(f) >= 10 && f[1] == "11" && ours[f[9]] { // NETLINK_CONNECTOR
			n++
		}
	}
	return n
}

func TestLastCloseLeavesTheGroup(t *testing.T) {
	a, b := open(t, Config{Kinds: Exec}), open(t, Config{Kinds: Exec})
	_ = a.Close()
	if n := connectorSockets(t); n != 1 {
		t.Errorf("%d sockets with one watcher left", n)
	}
	_, _ = b.Close(), b.Close()
	for connectorSockets(t) > 0 {
		runtime.Gosched()
	}
	if _, err := b.Read(context.Background(), make([]Event, 1)); err != ErrClosed {
		t.Errorf("Read: %v, want ErrClosed", err)
	}
	open(t, Config{Kinds: Exec}) // and join again
}

func TestReadEndsWithItsContext(t *testing.T) {
	e := open(t, Config{Kinds: Coredump})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if n, err := e.Read(ctx, make([]Event, 1)); n != 0 || err != context.Canceled {
		t.Errorf("%d, %v; want context.Canceled", n, err)
	}
}

// TestKernelLossIsAnEvent: a tiny buffer, and a reader that is held up.
func TestKernelLossIsAnEvent(t *testing.T) {
	n := systest.New(t)
	for connectorSockets(t) > 0 { // of the test before, with a larger buffer
		runtime.Gosched()
	}
	e := open(t, Config{Kinds: Fork, SocketBuffer: 1})
	shared.mu.Lock()
	n.Crowd(100)
	shared.mu.Unlock()
	lost := e.next(func(ev *Event) bool { return ev.Kind == Lost })
	if lost.Count != 0 || lost.Time == 0 || !strings.Contains(lost.String(), "/proc") {
		t.Errorf("%+v: %v", lost, &lost)
	}
	pid := n.Fork()
	e.of(Fork, pid) // the watching goes on
}

func TestSlowReaderLosesItsOwn(t *testing.T) {
	n := systest.New(t)
	slow, quick := open(t, Config{Kinds: Fork, Queue: 4}), open(t, Config{Kinds: Fork})
	pids := n.Crowd(100)
	for _, pid := range pids {
		quick.of(Fork, pid)
	}
	// What the kernel itself has dropped, in the test before, has no count.
	if lost := slow.next(func(ev *Event) bool { return ev.Kind == Lost && ev.Count > 0 }); lost.Count < 90 {
		t.Errorf("%+v, want the count of those that were dropped", lost)
	}
	pid := n.Fork()
	slow.of(Fork, pid)
}

func TestElsewhere(t *testing.T) {
	w, err := Watch(Config{Kinds: Exec})
	if !systest.Again(t) {
		if err != nil {
			t.Fatalf("in the initial namespaces: %v", err)
		}
		_ = w.Close()
		for _, world := range []systest.World{systest.InPidNamespace(), systest.InNetNamespace(), systest.InUserNamespace()} {
			systest.Rerun(t, world)
		}
		return
	}
	if err == nil || !strings.Contains(err.Error(), "namespace") ||
		!errors.Is(err, sys.EPERM) && !errors.Is(err, sys.ECONNREFUSED) {
		t.Errorf("Watch: %v, want the namespace named", err)
	}
	t.Log(err)
}

func TestWithoutRoot(t *testing.T) {
	if !systest.Again(t) {
		systest.Rerun(t, systest.WithoutRoot())
		return
	}
	w, err := Watch(Config{Kinds: Exec})
	if sys.KernelAtLeast(sys.KernelRelease(), 6, 6) {
		if err != nil {
			t.Fatal(err)
		}
		_ = w.Close()
		return
	}
	if !errors.Is(err, sys.EPERM) || !strings.Contains(err.Error(), "CAP_NET_ADMIN") {
		t.Errorf("Watch: %v, want CAP_NET_ADMIN named", err)
	}
}

func TestKindNames(t *testing.T) {
	for k := Fork; k <= Lost; k <<= 1 {
		if got, err := ParseKinds(k.String()); err != nil || got != k {
			t.Errorf("%v: %v, %v", k, got, err)
		}
	}
	if got, err := ParseKinds("exec, exit"); err != nil || got != Exec|Exit || got.String() != "exec,exit" {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := ParseKinds("all"); err != nil || got != All {
		t.Errorf("all: %v, %v", got, err)
	}
	for _, bad := range []string{"", "exec,", "execs"} {
		if got, err := ParseKinds(bad); err == nil {
			t.Errorf("%q: %v", bad, got)
		}
	}
}

func TestNothingIsAllocatedForAnEvent(t *testing.T) {
	w := &Watcher{kinds: All, ring: make([]Event, 8), wake: make(chan struct{}, 1), closed: make(chan struct{})}
	h := hub{watchers: []*Watcher{w}}
	out := make([]Event, 8)
	ctx := context.Background()
	n := testing.AllocsPerRun(100, func() {
		ev := Event{Kind: Exec, PID: 1, TGID: 1, Time: time.Second}
		h.tell(&ev)
		if n, err := w.Read(ctx, out); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations for an event", n)
	}
}

func TestParseStart(t *testing.T) {
	line := []byte("4711 () Z 1 () S 1 1 1 0 -1 64 0 0 0 0 0 0 0 0 20 0 1 0 982133 3907584 512\n")
	if n, ok := parseStart(line); !ok || n != 982133 {
		t.Errorf("%d, %v", n, ok)
	}
	for n := range len(line) - 24 {
		if got, ok := parseStart(line[:n]); ok && got == 982133 {
			t.Errorf("cut to %d bytes: %d", n, got)
		}
	}
}

func FuzzParseStart(f *testing.F) {
	f.Add([]byte("4711 (x) S 1 1 1 0 -1 64 0 0 0 0 0 0 0 0 20 0 1 0 982133 3907584 512\n"))
	f.Fuzz(func(_ *testing.T, line []byte) { parseStart(line) })
}

func FuzzParseKinds(f *testing.F) {
	f.Add("exec,exit")
	f.Fuzz(func(t *testing.T, text string) {
		if k, err := ParseKinds(text); err == nil {
			if again, err := ParseKinds(k.String()); err != nil || again != k {
				t.Errorf("%q: %v, %v", text, k, err)
			}
		}
	})
}
