package kill

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lmkd/lmkd/internal/sys"
)

// ErrTimeout is why a wait ended without an exit; as an error number it is
// ETIMEDOUT.
var ErrTimeout error = &refusal{"it takes longer than its time limit", [2]sys.Errno{sys.ETIMEDOUT}}

// errStuck ends the wait for a victim that is stuck and holds nothing.
var errStuck = errors.New("stuck, and its memory is back")

// Kill is the whole: it signals p, frees its memory beside it, lifts what slows
// its death, and waits for its end. A process that is gone already is an
// outcome and no error. The error is about a signal that could not be sent
// (EPERM), or a wait that could not be done or was ended by ctx; when the time
// limit of o ends the wait, only the outcome says so.
//
// It makes threads: prepare a daemon's kills with Signal and Reapers instead.
func Kill(ctx context.Context, p Process, o Options) (*Outcome, error) {
	k := &killing{o: o, out: &Outcome{PID: p.PID(), StartTime: p.StartTime()}}
	v, err := Open(p)
	if errors.Is(err, ErrGone) {
		k.out.Fate = Gone
		k.out.Signal = step().done(sys.ESRCH)
		return k.out, nil
	}
	if err != nil {
		return k.out, err
	}
	defer func() { _ = v.Close() }()
	k.v = v
	k.prepare()
	defer closeTwins(k.out.Twins)
	err = k.execute(ctx)
	if k.standby != nil {
		k.standby.dismiss()
	}
	k.conclude()
	return k.out, err
}

// killing is one kill under way.
type killing struct {
	v   *Victim
	o   Options
	out *Outcome

	standby   *standby // the thread of the reclaim, made before the signal
	reclaimed chan reclaimed
}

type reclaimed struct {
	reclaim Reclaim
	freed   Freed
	after   Memory
}

// prepare looks at what only the living show.
func (k *killing) prepare() {
	k.out.Before = k.v.memory()
	if !k.o.Expedite && k.o.KillTwin == nil {
		return
	}
	var err error
	if k.out.Twins, err = k.v.Twins(); err != nil {
		k.note(err)
	}
	if !k.o.Expedite {
		return
	}
	k.standby = prepareStandby(k.o.Thread)
	if k.standby.err != nil {
		k.note(k.standby.err)
	}
}

func (k *killing) note(err error) { k.out.Notes = append(k.out.Notes, err.Error()) }

// execute signals, and waits with what makes it quicker running beside.
func (k *killing) execute(ctx context.Context) error {
	sig := k.o.Signal
	if sig == 0 {
		sig = sys.SIGKILL
	}
	k.out.Signal = k.v.Signal(sig)
	if err := k.refusal(sig, k.out.Signal); err != nil {
		return err
	}
	if sig != sys.SIGKILL {
		done, err := k.gently(ctx)
		if done || err != nil {
			return err
		}
	}
	k.signalTwins()
	k.begin()
	err := k.wait(ctx)
	k.gather()
	return err
}

// refusal is the error of a signal that was not sent; a process that is gone is
// none.
func (k *killing) refusal(sig int, s Step) error {
	if s.Errno == 0 || s.Errno == sys.ESRCH {
		return nil
	}
	return &opError{fmt.Sprintf("send %s to %d", sys.SignalName(sig), k.v.p.PID()), s.Errno}
}

// gently waits for the answer to a signal that is no SIGKILL, and escalates;
// done when nothing is left to do.
func (k *killing) gently(ctx context.Context) (done bool, err error) {
	limit := k.o.Escalate
	if limit <= 0 {
		limit = k.o.Timeout
	}
	if done, err = k.await(ctx, limit); done || err != nil || k.o.Escalate <= 0 {
		return true, err
	}
	k.out.Escalate = k.v.Signal(sys.SIGKILL)
	return false, k.refusal(sys.SIGKILL, k.out.Escalate)
}

// await waits for the exit up to limit, 0 being for ever. Its step is the
// outcome's wait.
func (k *killing) await(ctx context.Context, limit time.Duration) (exited bool, err error) {
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, limit, ErrTimeout)
		defer cancel()
	}
	k.out.Wait, err = k.v.Wait(ctx)
	if errors.Is(err, ErrTimeout) || errors.Is(err, errStuck) {
		return false, nil
	}
	return err == nil, err
}

// signalTwins kills those who would keep the memory, if that is wanted.
func (k *killing) signalTwins() {
	for i := range k.out.Twins {
		t := &k.out.Twins[i]
		if k.o.KillTwin == nil || t.PID == 1 || t.PID == sys.Getpid() || !k.o.KillTwin(t.PID) {
			continue
		}
		if e := sys.PidfdSignal(t.Fd(), sys.SIGKILL); e != 0 {
			k.note(&opError{fmt.Sprintf("send SIGKILL to %d, which shares the memory", t.PID), e})
			continue
		}
		k.out.Killed = append(k.out.Killed, t.PID)
	}
}

// begin lets the reclaim run, and meanwhile lifts what slows the death: the
// class of the threads first, which takes microseconds.
func (k *killing) begin() {
	if s := k.standby; s != nil {
		k.standby = nil
		k.reclaimed = make(chan reclaimed, 1)
		go func() {
			before := k.v.memory()
			r := reclaimed{reclaim: s.reap(k.v.p.Fd(), k.o.Retry), after: k.v.memory()}
			r.freed = freed(before, r.after)
			k.reclaimed <- r
		}()
	}
	if k.o.Boost {
		k.out.Boost = k.v.Lift()
	}
}

// wait waits for the exit. A watcher ends it early for a victim that is stuck
// and holds nothing.
func (k *killing) wait(ctx context.Context) error {
	if k.o.StuckAfter > 0 && k.o.Expedite {
		var cancel context.CancelCauseFunc
		ctx, cancel = context.WithCancelCause(ctx)
		watched := make(chan struct{})
		over := make(chan struct{})
		go func() {
			defer close(watched)
			if k.watch(over) {
				cancel(errStuck)
			}
		}()
		defer func() { close(over); <-watched; cancel(nil) }()
	}
	_, err := k.await(ctx, k.o.Timeout)
	return err
}

// watch takes the reclaim's result, and then looks, until the wait is over,
// whether one hold was there twice in a row and the memory is back.
func (k *killing) watch(over <-chan struct{}) (stuck bool) {
	select {
	case <-over:
		return false
	case r := <-k.reclaimed:
		k.reclaimed = nil
		k.take(&r)
	}
	last := Hold(0)
	for {
		select {
		case <-over:
			return false
		case <-time.After(k.o.StuckAfter):
		}
		now := k.v.Look().Holds & Lasting
		if last&now != 0 && back(k.out.Before, k.v.memory(), &k.out.Reclaim) {
			return true
		}
		last = now
	}
}

func (k *killing) take(r *reclaimed) {
	k.out.Reclaim, k.out.Reclaimed, k.out.AfterReclaim = r.reclaim, r.freed, r.after
}

// gather takes the result that is not in yet, and undoes the boost.
func (k *killing) gather() {
	if k.reclaimed != nil {
		r := <-k.reclaimed
		k.take(&r)
	}
	if err := k.out.Boost.Undo(); err != nil {
		k.note(err)
	}
}

// conclude says what became of the victim.
func (k *killing) conclude() {
	out := k.out
	out.AtEnd = k.v.memory()
	out.Freed = freed(out.Before, out.AtEnd)
	out.MemoryBack = back(out.Before, out.AtEnd, &out.Reclaim)
	out.Condition = k.v.Look()
	if living(out.Twins) {
		out.Condition.Holds |= Shared
		out.MemoryBack = false
	}
	switch {
	case out.Condition.Dead:
		out.Fate = Gone
		out.MemoryBack = out.MemoryBack || out.Condition.Holds&Shared == 0
	case !out.Condition.Dying:
		out.Fate, out.MemoryBack = Alive, false
	case out.Condition.Holds&Lasting != 0:
		out.Fate = Stuck
	case out.MemoryBack:
		out.Fate = DyingBack
	default:
		out.Fate = DyingHeld
	}
}

// living reports whether one of them still is there.
func living(twins []Twin) bool {
	for i := range twins {
		if ready, e := sys.PollIn(twins[i].Fd()); e == 0 && ready == 0 {
			return true
		}
	}
	return false
}
