package kill_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/exitwait"
	"github.com/lmkd/lmkd/pkg/kill"
)

// patience is far longer than any kill in these tests takes, and shorter than
// the test binary's own limit.
const patience = time.Minute

// killed runs the whole pipeline and expects it to end well.
func killed(t testing.TB, p kill.Process, o kill.Options) *kill.Outcome {
	t.Helper()
	out, err := kill.Kill(context.Background(), p, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%v, memory back %v; signal %v, reclaim %v after %d, wait %v; before %+v, at end %+v; reclaimed %v; boost %d threads; %v %v",
		out.Fate, out.MemoryBack, out.Signal, out.Reclaim.Step, out.Reclaim.Attempts, out.Wait,
		out.Before, out.AtEnd, out.Reclaimed, out.Boost.Threads, out.Condition, out.Notes)
	return out
}

func expectGone(t testing.TB, out *kill.Outcome) {
	t.Helper()
	if out.Fate != kill.Gone || !out.MemoryBack || !out.Wait.OK() {
		t.Fatalf("%v, memory back %v, wait %v: want it gone", out.Fate, out.MemoryBack, out.Wait.Errno)
	}
}

func TestKillTheWhole(t *testing.T) {
	p := victim(t, "hold 64")
	out := killed(t, p, kill.Expedited(patience))
	expectGone(t, out)
	if !out.Signal.OK() || out.Before.Anonymous < 64<<20 || !out.Before.Attached || out.AtEnd.Attached {
		t.Fatalf("%+v", out)
	}
	if e := out.Reclaim.Errno; e != reclaimSays(0) && e != reclaimSays(sys.ESRCH) {
		t.Fatalf("reclaim: %v, want done or nothing left", e)
	}
	if out.Boost.Threads == 0 && !errors.Is(out.Signal.Errno, sys.ESRCH) && out.Boost.Refused > 0 {
		t.Fatalf("boost: %+v", out.Boost)
	}
}

func TestPlainKillWaitsForTheExit(t *testing.T) {
	p := victim(t, "hold 8")
	out := killed(t, p, kill.Options{})
	if out.Fate != kill.Gone || out.Reclaim.Taken() || out.Boost.Taken() {
		t.Fatalf("%+v", out)
	}
}

func TestEachStepAlone(t *testing.T) {
	p := victim(t, "hold 32")
	v, err := kill.Open(p)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if c := v.Look(); c.Dead || c.Dying || c.Threads == 0 {
		t.Fatalf("before: %+v", c)
	}
	r, _, err := v.Reap(kill.DefaultRetry)
	denied := errors.Is(err, kill.ErrNotDying) && errors.Is(err, sys.EPERM) && errors.Is(err, os.ErrPermission)
	if denied != reclaims || r.Errno != reclaimSays(sys.EINVAL) || r.Attempts != 1 {
		t.Fatalf("a reclaim from the living: %v after %d attempts", err, r.Attempts)
	}
	stop(t, p) // it can not free its memory before it is asked to
	if s := v.Signal(sys.SIGKILL); !s.OK() {
		t.Fatal(s.Errno)
	}
	if _, _, err = v.ReapOn(kill.Thread{Nice: 5, CPUs: []int{0}}, kill.DefaultRetry); err != nil && reclaims && !errors.Is(err, kill.ErrGone) {
		t.Fatal(err)
	}
	if _, err := v.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if c := v.Look(); !c.Dead {
		t.Fatalf("after: %+v", c)
	}
	if _, _, err := v.Reap(kill.DefaultRetry); reclaims && !errors.Is(err, kill.ErrGone) {
		t.Fatalf("a reclaim after the end: %v", err)
	}
}

// stop sends SIGSTOP.
func stop(t testing.TB, p kill.Process) {
	t.Helper()
	if e := sys.PidfdSignal(p.Fd(), sys.SIGSTOP); e != 0 {
		t.Fatal(e)
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	p := victim(t, "hold 1")
	v, err := kill.Open(p)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	if s, err := v.Wait(ctx); err != why || s.Errno != sys.ETIMEDOUT {
		t.Fatalf("%v, %v", s.Errno, err)
	}
	living(t, p.Process)
}

func TestSignalRefusesAStranger(t *testing.T) {
	p := victim(t, "hold 1")
	if s := kill.Signal(p, p.StartTime()+1, sys.SIGKILL); s.Errno != sys.ESRCH {
		t.Fatalf("a signal to another start time: %v, want ESRCH", s.Errno)
	}
	living(t, p.Process)
}

// lookalike is a process with the start time of another.
type lookalike struct{ *exitwait.Process }

func (l lookalike) StartTime() uint64 { return l.Process.StartTime() + 1 }

func TestOpenRefusesAStranger(t *testing.T) {
	p := victim(t, "hold 1")
	if _, err := kill.Open(lookalike{p.Process}); !errors.Is(err, kill.ErrGone) {
		t.Fatalf("open: %v, want ErrGone", err)
	}
	out := killed(t, lookalike{p.Process}, kill.Expedited(patience))
	if out.Fate != kill.Gone || out.Signal.Errno != sys.ESRCH {
		t.Fatalf("%+v", out)
	}
	living(t, p.Process)
}

func TestInvalidArguments(t *testing.T) {
	if r := kill.Reap(0, kill.DefaultRetry); r.Errno != reclaimSays(sys.EBADF) || r.Attempts != 1 {
		t.Fatalf("reclaim of no pidfd: %v after %d", r.Errno, r.Attempts)
	}
	p := victim(t, "hold 1")
	v, err := kill.Open(notPidfd{p.Process})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if _, _, err := v.Reap(kill.DefaultRetry); reclaims && (!errors.Is(err, kill.ErrInvalid) || !errors.Is(err, sys.EINVAL)) {
		t.Fatalf("reclaim of no pidfd: %v", err)
	}
}

// notPidfd has a descriptor that is none.
type notPidfd struct{ *exitwait.Process }

func (notPidfd) Fd() int { return 0 }

func ExampleKill() {
	cmd := sleeper()
	if err := cmd.Start(); err != nil {
		panic(err)
	}
	p, err := exitwait.Open(cmd.Process.Pid)
	if err != nil {
		panic(err)
	}
	defer p.Close()
	out, err := kill.Kill(context.Background(), p, kill.Expedited(10*time.Second))
	if err != nil {
		panic(err)
	}
	fmt.Println(out.Fate, out.MemoryBack, cmd.Wait())
	// Output: gone true signal: killed
}

func ExampleSignal() {
	cmd := sleeper()
	if err := cmd.Start(); err != nil {
		panic(err)
	}
	p, err := exitwait.Open(cmd.Process.Pid)
	if err != nil {
		panic(err)
	}
	defer p.Close()
	step := kill.Signal(p, p.StartTime(), sys.SIGKILL)
	reclaim := kill.Reap(p.Fd(), kill.DefaultRetry)
	fmt.Println(sys.ErrnoName(step.Errno), reclaim.Took > 0, cmd.Wait())
	// Output: ok true signal: killed
}
