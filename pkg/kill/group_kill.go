package kill

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/lmkd/lmkd/internal/sys"
)

// GroupOutcome is how the kill of a group or a tree went.
type GroupOutcome struct {
	Fate    Fate
	Method  string // "cgroup.kill" or "one by one"
	Rounds  int    // lists until nobody new was found, when one by one
	Frozen  bool   // the members were held still meanwhile
	Signal  Step   // cgroup.kill, or from the first signal to the last
	Wait    Step   // from there to the last exit; ETIMEDOUT when it did not come
	Members []*Member
	Left    []int  // those still there at the end
	Before  uint64 // the group's memory charge before and at the end, bytes; 0 without the controller
	AtEnd   uint64
	Notes   []string
}

// Reclaimed counts the members whose memory was taken back.
func (o *GroupOutcome) Reclaimed() (n int) {
	for _, one := range o.Members {
		if one.Reclaim.OK() {
			n++
		}
	}
	return n
}

// KillGroup kills every process of the cgroup at path and below it, takes the
// memory of the large ones back, as many at a time as there are Workers, and
// waits until the group is empty. Signals other than SIGKILL are EINVAL.
func KillGroup(ctx context.Context, path string, o Options) (*GroupOutcome, error) {
	out := new(GroupOutcome)
	if o.Signal != 0 && o.Signal != sys.SIGKILL {
		return out, &opError{"kill cgroup " + path, sys.EINVAL}
	}
	g, err := OpenGroup(path)
	if err != nil {
		return out, err
	}
	defer func() { _ = g.Close() }()
	b, err := newBurial(&o)
	if err != nil {
		return out, err
	}
	out.Before, _ = charge(g.path)
	all, err := g.kill(out, b)
	defer all.close()
	if err == nil {
		err = out.wait(ctx, o.Timeout, func(ctx context.Context) error {
			if g.events.Open() {
				return g.Wait(ctx)
			}
			return all.wait(ctx)
		})
	}
	out.AtEnd, _ = charge(g.path)
	out.conclude(b, all)
	return out, err
}

// kill signals every member, and hands them over.
func (g *Group) kill(out *GroupOutcome, b *burial) (members, error) {
	all, err := g.open(nil, 0)
	if err != nil {
		return nil, err
	}
	all.largestFirst()
	out.Method = "cgroup.kill"
	out.Signal = g.KillAll()
	if out.Signal.Errno == sys.ENOENT {
		return g.killEach(out, b, all)
	}
	if out.Signal.Errno != 0 {
		return all, &opError{"write cgroup.kill of " + g.path, out.Signal.Errno}
	}
	b.add(all)
	return all, nil
}

// rounds is how often a group that keeps forking is listed, when it can not be
// held still.
const rounds = 100

// killEach holds the group still where it can, kills one by one until a list
// finds nobody new, and lets go.
func (g *Group) killEach(out *GroupOutcome, b *burial, all members) (members, error) {
	out.Method = "one by one"
	s := step()
	thaw := g.freeze(out)
	defer thaw()
	known := make(map[int]bool)
	fresh := all
	for out.Rounds = 1; out.Rounds <= rounds; out.Rounds++ {
		if err := fresh.signal(sys.SIGKILL); err != nil {
			return all, err
		}
		for _, one := range fresh {
			known[one.PID] = true
		}
		b.add(fresh)
		more, err := g.open(known, 0)
		if err != nil {
			return all, err
		}
		if len(more) == 0 {
			out.Signal = s.done(0)
			return all, nil
		}
		fresh = more
		all = append(all, more...)
	}
	return all, &opError{"kill cgroup " + g.path + " one by one: it forks faster", sys.EAGAIN}
}

// freezeWait is how long a group may take to be frozen; a member in an
// uninterruptible sleep never is, and the kill goes on without.
const freezeWait = 100 * time.Millisecond

// freeze holds the group still, on v2 and in v1's freezer, and gives what lets
// it go: on v2 as it was, on v1 thawed, for there the frozen do not die.
func (g *Group) freeze(out *GroupOutcome) (thaw func()) {
	v2, v1 := filepath.Join(g.path, "cgroup.freeze"), filepath.Join(g.path, "freezer.state")
	if was, e := readFile(v2); e == 0 {
		if writeFile(v2, "1") != 0 {
			return func() {}
		}
		ctx, cancel := context.WithTimeout(context.Background(), freezeWait)
		defer cancel()
		_ = awaitReady(ctx, []int{g.events.Int()}, sys.Pri, func() bool {
			out.Frozen = frozenV2(g.path)
			return out.Frozen
		})
		return func() { _ = writeFile(v2, was) }
	}
	if _, e := readFile(v1); e == 0 {
		out.Frozen = writeFile(v1, "FROZEN") == 0
		return func() { _ = writeFile(v1, "THAWED") }
	}
	return func() {}
}

// wait waits for the last exit.
func (o *GroupOutcome) wait(ctx context.Context, limit time.Duration, until func(context.Context) error) error {
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, limit, ErrTimeout)
		defer cancel()
	}
	s := step()
	err := until(ctx)
	o.Wait = s.done(sys.ErrnoOf(err))
	if ctx.Err() != nil && err != nil {
		o.Wait.Errno = sys.ETIMEDOUT
	}
	if errors.Is(err, ErrTimeout) {
		return nil
	}
	return err
}

// conclude says what became of the members.
func (o *GroupOutcome) conclude(b *burial, all members) {
	if b.note != nil {
		o.Notes = append(o.Notes, b.note.Error())
	}
	if err := b.finish(); err != nil {
		o.Notes = append(o.Notes, err.Error())
	}
	o.Members = all
	held, stuck := false, false
	for _, one := range all {
		if one.Gone = one.dead(); one.Gone {
			continue
		}
		o.Left = append(o.Left, one.PID)
		held = held || !one.Reclaim.OK()
		if v, err := openPidfd(one.fd.Int()); err == nil {
			stuck = stuck || v.Look().Holds&Lasting != 0
			_ = v.Close()
		}
	}
	o.Fate = groupFate(o, held, stuck)
}

func groupFate(o *GroupOutcome, held, stuck bool) Fate {
	switch {
	case o.Wait.OK() && len(o.Left) == 0:
		return Gone
	case !o.Signal.OK():
		return Alive
	case stuck:
		return Stuck
	case held || len(o.Left) == 0: // the wait failed, or somebody came who was not listed
		return DyingHeld
	}
	return DyingBack
}
