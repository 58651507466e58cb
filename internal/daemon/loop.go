package daemon

import (
	"time"

	"github.com/lmkd/lmkd/internal/engine"
	"github.com/lmkd/lmkd/internal/process"
	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/internal/taskiter"
	"github.com/lmkd/lmkd/pkg/exitwait"
	"github.com/lmkd/lmkd/pkg/kill"
	"github.com/lmkd/lmkd/pkg/pressure"
	"github.com/lmkd/lmkd/pkg/victim"
)

// The tokens of the loop's epoll. What belongs to a domain carries its number in
// the high bits, and so do the tokens of its reclaims: its flight in the low ones.
const (
	tokenStop uint64 = iota
	tokenReclaim
	tokenReaper
	tokenRelief
	tokenCgroups
	tokenVictim
	tokenVmpressure
	tokenTrigger // and the level
)

const domainShift = 48

// memberBit marks the reclaim of one who dies with the victim.
const memberBit = 1 << 47

// Recorder is the flight recorder: internal/record.
type Recorder interface {
	Append(domain uint16, in *engine.Input, out *engine.Output)
	Notify()
	// Open and Close tell of domains that are not the machine.
	Open(domain uint16, name string, p *engine.Policy)
	Close(domain uint16)
}

// loop is the daemon while it runs: what all domains share. Everything in it
// belongs to one thread.
type loop struct {
	epoll    *sys.Epoll
	events   [16]sys.Event
	stop     *sys.Eventfd
	domains  []*domain // by their numbers, nil for none; the machine is the first
	within   *within   // the domains that are cgroups, nil without any
	running  bool      // begin is over
	flights  uint64    // counts victims of all domains
	table    *process.Table
	tasks    *taskiter.Iter // nil where processes are listed by files alone
	record   Recorder
	reapers  *kill.Reapers
	clients  Clients
	killer   killer
	watchdog *watchdog // nil without one
	inflight *inflight // nil where it can not be kept
	reclaims reclaims

	softening *softening // nil without softer acts

	feed      func()
	feedEvery time.Duration // 0 for never
	fedAt     time.Duration

	descendants []int32          // scratch of one listing
	struck      struck           // what the last strike told
	candidates  []victim.Process // of the last List
	helped      exitwait.Process // scratch of expedite
	in          engine.Input     // the input under way
}

// run turns wakes into steps until the stop event.
func (l *loop) run(adopted []adopted) error {
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

// timeout gives the epoll's timeout in milliseconds, by the earliest deadline:
// -1 at rest.
func (l *loop) timeout() int {
	var until time.Duration
	for _, d := range l.domains {
		if d != nil {
			until = earlier(until, d.deadline)
		}
	}
	if l.feedEvery > 0 {
		until = earlier(until, l.fedAt+l.feedEvery)
	}
	if until == 0 {
		return -1
	}
	left := until - sys.Now()
	return int(max(0, (left+time.Millisecond-1)/time.Millisecond))
}

// earlier gives the earlier of two deadlines, of which 0 is none.
func earlier(a, b time.Duration) time.Duration {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// dispatch hands in what is ready, ends before wakes and wakes before
// deadlines: what has happened is looked at before anything is held overdue.
func (l *loop) dispatch(events []sys.Event) (stop bool) {
	for i := range events {
		switch token := events[i].Token; token {
		case tokenStop:
			return true
		case tokenReaper:
			l.collect()
		case tokenRelief:
			l.collectRelief()
		case tokenReclaim:
			l.reclaims.drain(&l.machine().wake)
		case tokenCgroups: // behind the rest: what is ready may be of those that go
		default:
			if d := l.domainOf(token); d != nil {
				l.note(d, token&(1<<domainShift-1), events[i].Ready)
			}
		}
	}
	for _, d := range l.domains {
		if d != nil {
			l.settle(d)
		}
	}
	for i := range events {
		if events[i].Token == tokenCgroups {
			l.regroup()
		}
	}
	return false
}

// note keeps what an event of d says until all that is ready is known.
func (l *loop) note(d *domain, kind uint64, ready uint32) {
	if kind >= tokenTrigger && ready&sys.Fail != 0 && !d.isMachine() {
		d.gone = true
		d.triggers.close() // they stay ready for good
		return
	}
	switch kind {
	case tokenVictim:
		d.exited = d.dying && l.gone(d)
	case tokenVmpressure:
		if level := d.vmpressure.Drain(); level != pressure.LevelNone {
			d.wake.Source |= engine.FromVmpressure
			d.wake.Event = max(d.wake.Event, level)
		}
	default:
		d.triggers.woken(kind, &d.wake)
	}
}

// settle hands in what was noted of d, and its deadline.
func (l *loop) settle(d *domain) {
	if d.exited && d.dying {
		l.forget(d)
		l.handle(d, engine.Input{Kind: engine.Exited})
	}
	d.exited = false
	if wake := d.wake; wake.Source != 0 {
		d.wake = engine.Input{Kind: engine.Woken}
		l.handle(d, wake)
	}
	if d.deadline != 0 && sys.Now() >= d.deadline {
		d.deadline = 0
		l.handle(d, engine.Input{Kind: engine.Elapsed})
	}
	if d.gone {
		l.settleGone(d)
	}
}

// settleGone lets a domain go whose cgroup is gone. One that only its files say it
// of is looked for first.
func (l *loop) settleGone(d *domain) {
	if l.within.paths[d.path] == d {
		l.vanished(d)
		return
	}
	l.letGo(d)
}

// collect hands in what the workers have done; what concerns a victim that was
// given up long ago tells nothing any more.
func (l *loop) collect() {
	for {
		r, ok := l.reapers.Collect()
		if !ok {
			return
		}
		d := l.domainOf(r.Token)
		mine := d != nil && r.Token&^memberBit == d.token(d.flight)
		holds := engine.Hold(r.Condition.Holds)
		switch {
		case r.Looked:
			if mine && d.dying && !r.Condition.Dead {
				l.handle(d, engine.Input{Kind: engine.Examined, Holds: holds, Ended: r.Condition.Ended})
			}
			continue
		case !mine || !d.dying:
			_ = r.Boost.Undo()
		default:
			d.boost.Settings = append(d.boost.Settings, r.Boost.Settings...)
		}
		if mine && r.Attempts > 0 && r.Token&memberBit == 0 {
			l.handle(d, engine.Input{Kind: engine.Reaped, Errno: int32(r.Errno), Took: r.Took, Holds: holds & engine.Shared})
		}
	}
}

// handle steps the engine of d with in and then with the answers to its actions,
// until it asks for nothing more. The record is made before the actions.
func (l *loop) handle(d *domain, in engine.Input) {
	l.in = in
	for more := true; more; {
		l.in.At = sys.Now()
		out := engine.Step(d.policy, d.state, &l.in)
		l.record.Append(d.id, &l.in, out)
		more = false
		for i := range out.Actions {
			more = l.do(d, &out.Actions[i]) || more
		}
	}
	l.record.Notify()
}
