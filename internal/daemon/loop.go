package daemon

import (
	"time"

	"github.com/lmkd/lmkd/internal/engine"
	"github.com/lmkd/lmkd/internal/memory"
	"github.com/lmkd/lmkd/internal/process"
	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/exitwait"
	"github.com/lmkd/lmkd/pkg/kill"
	"github.com/lmkd/lmkd/pkg/pressure"
	"github.com/lmkd/lmkd/pkg/victim"
)

// The tokens of the loop's epoll.
const (
	tokenStop uint64 = iota
	tokenMedium
	tokenCritical
	tokenReclaim
	tokenReaper
	tokenVictim
)

// machine is the number of the only domain: the whole machine.
const machine = 0

// Recorder is the flight recorder: internal/record.
type Recorder interface {
	Append(domain uint16, in *engine.Input, out *engine.Output)
	Notify()
}

// loop is the daemon while it runs. Everything in it belongs to one thread.
type loop struct {
	epoll    *sys.Epoll
	events   [16]sys.Event
	stop     *sys.Eventfd
	memory   *memory.Reader
	table    *process.Table
	record   Recorder
	reapers  *kill.Reapers
	killer   killer
	watchdog *watchdog // nil without one
	inflight *inflight // nil where it can not be kept
	sources  sources
	policy   *engine.Policy
	state    *engine.State
	deadline time.Duration // CLOCK_MONOTONIC, 0 for none

	feed      func()
	feedEvery time.Duration // 0 for never
	fedAt     time.Duration

	victim      exitwait.Process
	tree        tree // those who die with it
	descendants [treeSize]int32
	dying       bool       // victim is open and watched
	flight      uint64     // counts victims, the token of their reclaims
	boost       kill.Boost // what was lifted for the victim, undone when it is gone
	sample      pressure.Sample
	marks       pressure.Watermarks
	candidates  []victim.Process // of the last List
	in          engine.Input     // the input under way
}

// run turns wakes into steps until the stop event.
func (l *loop) run(adopted *victim.Process) error {
	l.begin(adopted)
	for {
		n, e := l.epoll.Wait(l.events[:], l.timeout())
		if e != 0 {
			return &sys.OpError{Doing: "wait for events", Errno: e}
		}
		l.watchdog.busy()
		stop := l.dispatch(l.events[:n])
		l.watchdog.idle()
		l.feedManager()
		if stop {
			return nil
		}
	}
}

// feedManager tells the service manager, where it asks for it, that this very
// loop is alive.
func (l *loop) feedManager() {
	if now := sys.Now(); l.feedEvery > 0 && now-l.fedAt >= l.feedEvery {
		l.fedAt = now
		l.feed()
	}
}

// timeout gives the epoll's timeout in milliseconds: -1 at rest.
func (l *loop) timeout() int {
	until := l.deadline
	if l.feedEvery > 0 && (until == 0 || l.fedAt+l.feedEvery < until) {
		until = l.fedAt + l.feedEvery
	}
	if until == 0 {
		return -1
	}
	left := until - sys.Now()
	return int(max(0, (left+time.Millisecond-1)/time.Millisecond))
}

// dispatch hands in what is ready, ends before wakes and wakes before the
// deadline: what has happened is looked at before anything is held overdue.
func (l *loop) dispatch(events []sys.Event) (stop bool) {
	var wake engine.Input
	wake.Kind = engine.Woken
	var exited bool
	for i := range events {
		switch events[i].Token {
		case tokenStop:
			return true
		case tokenReaper:
			l.collect()
		case tokenVictim:
			exited = l.dying && l.gone()
		default:
			l.sources.woken(events[i].Token, &wake)
		}
	}
	if exited && l.dying {
		l.forget()
		l.handle(engine.Input{Kind: engine.Exited})
	}
	if wake.Source != 0 {
		l.handle(wake)
	}
	if l.deadline != 0 && sys.Now() >= l.deadline {
		l.deadline = 0
		l.handle(engine.Input{Kind: engine.Elapsed})
	}
	return false
}

// collect hands in the reclaims that are done; one of a victim that was given
// up long ago tells nothing any more.
func (l *loop) collect() {
	for {
		r, ok := l.reapers.Collect()
		if !ok {
			return
		}
		if !l.dying || r.Token != l.flight {
			_ = r.Boost.Undo()
		} else {
			l.boost = r.Boost
		}
		if r.Token == l.flight && r.Attempts > 0 {
			l.handle(engine.Input{Kind: engine.Reaped, Errno: int32(r.Errno), Took: r.Took})
		}
	}
}

// handle steps the engine with in and then with the answers to its actions,
// until it asks for nothing more. The record is made before the actions.
func (l *loop) handle(in engine.Input) {
	l.in = in
	for more := true; more; {
		l.in.At = sys.Now()
		out := engine.Step(l.policy, l.state, &l.in)
		l.record.Append(machine, &l.in, out)
		more = false
		for i := range out.Actions {
			more = l.do(&out.Actions[i]) || more
		}
	}
	l.record.Notify()
}
