package kill_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/exitwait"
	"github.com/lmkd/lmkd/pkg/kill"
)

// killedGroup kills a cgroup and expects it empty afterwards.
func killedGroup(t *testing.T, c cgroup, o kill.Options) *kill.GroupOutcome {
	t.Helper()
	out, err := kill.KillGroup(context.Background(), c.dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%v by %s in %d rounds, frozen %v; signal %v, wait %v; %d members, %d reclaimed; left %v; %v",
		out.Fate, out.Method, out.Rounds, out.Frozen, out.Signal, out.Wait, len(out.Members), out.Reclaimed(), out.Left, out.Notes)
	if out.Fate != kill.Gone || !out.Wait.OK() || len(out.Left) != 0 {
		t.Fatalf("%+v", out)
	}
	c.empty(t)
	return out
}

// family starts a process in c whose seven members are all in c.
func family(t *testing.T, c cgroup) prey {
	t.Helper()
	return victim(t, "wait forks 3", func(pid int) { c.join(t, pid) })
}

func TestGroup(t *testing.T) {
	c := newCgroup(t, "")
	family(t, c)
	o := kill.Expedited(patience)
	o.Large = 8 << 20
	out := killedGroup(t, c, o)
	want := "cgroup.kill"
	if !hasFile(c, "cgroup.kill") {
		want = "one by one"
	}
	if out.Method != want || len(out.Members) != 7 {
		t.Fatalf("%d members by %s, want 7 by %s", len(out.Members), out.Method, want)
	}
	for i, m := range out.Members {
		if i > 0 && m.Resident > out.Members[i-1].Resident {
			t.Errorf("member %d has %d bytes, the one before %d", i, m.Resident, out.Members[i-1].Resident)
		}
		if m.Resident >= o.Large != m.Reclaim.Taken() {
			t.Errorf("member of %d bytes: reclaim %+v", m.Resident, m.Reclaim)
		}
	}
}

func hasFile(c cgroup, name string) bool {
	_, err := os.Stat(c.dir + "/" + name)
	return err == nil
}

// v1, and v2 before 5.14, have no cgroup.kill: the group is held still and
// killed one by one.
func TestGroupOneByOne(t *testing.T) {
	c := newCgroup(t, "freezer")
	family(t, c)
	out := killedGroup(t, c, kill.Expedited(patience))
	if len(out.Members) != 7 {
		t.Fatalf("%d members", len(out.Members))
	}
	if !c.v2 && (out.Method != "one by one" || !out.Frozen || c.get(t, "freezer.state") != "THAWED") {
		t.Fatalf("by %s, frozen %v, now %s", out.Method, out.Frozen, c.get(t, "freezer.state"))
	}
}

// Nothing can hold this group still: it is listed until nobody new is found.
func TestGroupThatForks(t *testing.T) {
	for _, controller := range []string{"", "memory"} {
		t.Run("on "+controller, func(t *testing.T) {
			c := newCgroup(t, controller)
			victim(t, "wait storm", func(pid int) { c.join(t, pid) })
			until(t, func() bool { return len(strings.Fields(c.get(t, "cgroup.procs"))) > 5 })
			killedGroup(t, c, kill.Expedited(patience))
		})
	}
}

func TestEmptyGroup(t *testing.T) {
	c := newCgroup(t, "")
	if out := killedGroup(t, c, kill.Expedited(patience)); len(out.Members) != 0 {
		t.Fatalf("%d members", len(out.Members))
	}
}

func TestNoSuchGroup(t *testing.T) {
	_, err := kill.KillGroup(t.Context(), "/sys/fs/cgroup/no-such-group", kill.Options{})
	if !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
}

func TestGroupTakesSIGKILLOnly(t *testing.T) {
	c := newCgroup(t, "")
	p := victim(t, "hold 1")
	c.join(t, p.PID())
	if _, err := kill.KillGroup(t.Context(), c.dir, kill.Options{Signal: sys.SIGTERM}); !errors.Is(err, sys.EINVAL) {
		t.Fatal(err)
	}
	living(t, p.Process)
}

// The readiness of a group is a descriptor for a loop of the caller's own.
func TestGroupReadiness(t *testing.T) {
	c := newCgroup(t, "")
	p := victim(t, "hold 1")
	c.join(t, p.PID())
	g, err := kill.OpenGroup(c.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if some, err := g.Populated(); !some || err != nil {
		t.Fatal(some, err)
	}
	poll, err := sys.NewEpoll(1)
	if err != nil {
		t.Fatal(err)
	}
	defer poll.Close()
	if e := poll.Add(g.Fd(), sys.Pri, 1); e != 0 {
		t.Fatal(e)
	}
	if s := kill.Signal(p, p.StartTime(), sys.SIGKILL); !s.OK() {
		t.Fatal(s.Errno)
	}
	var ev [1]sys.Event
	for n := 0; n == 0; { // a signal ends a wait
		var e sys.Errno
		if n, e = poll.Wait(ev[:], -1); e != 0 {
			t.Fatal(e)
		}
	}
	if some, err := g.Populated(); some || err != nil {
		t.Fatal(some, err)
	}
}

// A member that does not die is told from those that did.
func TestGroupWithAStuckMember(t *testing.T) {
	dir, asked, hangUp := deadServer(t)
	c := newCgroup(t, "")
	p := victim(t, "wait visit 32 "+dir, func(pid int) { c.join(t, pid) })
	<-asked
	o := kill.Expedited(100 * time.Millisecond)
	out, err := kill.KillGroup(t.Context(), c.dir, o)
	if err != nil {
		t.Error(err)
	}
	if out.Fate != kill.Stuck || out.Wait.Errno != sys.ETIMEDOUT || len(out.Left) != 1 || out.Left[0] != p.PID() {
		t.Errorf("%+v", out)
	}
	hangUp()
	if _, err := p.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestTree(t *testing.T) {
	p := victim(t, "forks 3")
	out, err := kill.KillTree(t.Context(), p, kill.Expedited(patience))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%v in %d rounds; signal %v, wait %v", out.Fate, out.Rounds, out.Signal, out.Wait)
	if out.Fate != kill.Gone || len(out.Members) != 7 {
		t.Fatalf("%d members: %+v", len(out.Members), out)
	}
	for _, m := range out.Members {
		if _, err := exitwait.Open(m.PID); !m.Gone || err == nil && m.PID != p.PID() && alive(m.PID) {
			t.Errorf("%d is still there: %v", m.PID, err)
		}
	}
}

func alive(pid int) bool {
	p, err := exitwait.Open(pid)
	if err != nil {
		return false
	}
	defer p.Close()
	_, err = p.TryWait()
	return err == exitwait.ErrRunning
}

func TestTreeThatForks(t *testing.T) {
	c := newCgroup(t, "") // to see whether anybody is left
	p := victim(t, "wait storm", func(pid int) { c.join(t, pid) })
	until(t, func() bool { return len(strings.Fields(c.get(t, "cgroup.procs"))) > 5 })
	out, err := kill.KillTree(t.Context(), p, kill.Expedited(patience))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%v in %d rounds, %d members", out.Fate, out.Rounds, len(out.Members))
	if out.Fate != kill.Gone {
		t.Fatalf("%+v", out)
	}
	c.empty(t)
}

// Strike kills all there are, forks included, gives the large ones, and leaves
// the waiting to the caller.
func TestStrike(t *testing.T) {
	c := newCgroup(t, "")
	family(t, c)
	g, err := kill.OpenGroup(c.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if some, err := g.Populated(); !some || err != nil {
		t.Fatal(some, err)
	}
	out, err := g.Strike(24 << 20)
	if err != nil || out.Listed != 7 || len(out.Large) < 3 {
		t.Fatalf("%+v, %d large: %v", out, len(out.Large), err)
	}
	if hasFile(c, "cgroup.kill") != (out.Method == "cgroup.kill") {
		t.Errorf("by %s", out.Method)
	}
	for _, m := range out.Large {
		if m.Resident < 24<<20 {
			t.Errorf("member %d of %d bytes is not large", m.PID, m.Resident)
		}
		if e := kill.Reap(m.Fd(), kill.DefaultRetry).Errno; e != reclaimSays(0) && e != reclaimSays(sys.ESRCH) {
			t.Errorf("reclaim of %d: %v", m.PID, e)
		}
		_ = m.Close()
	}
	until(t, func() bool { some, err := g.Populated(); return !some && err == nil })
}
