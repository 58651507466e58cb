package daemon

import (
	"github.com/lmkd/lmkd/internal/engine"
	"github.com/lmkd/lmkd/internal/process"
	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/kill"
	"github.com/lmkd/lmkd/pkg/pressure"
	"github.com/lmkd/lmkd/pkg/victim"
)

// do carries out one action; true when the answer is the next input.
func (l *loop) do(d *domain, a *engine.Action) bool {
	switch a.Do {
	case engine.Sample:
		l.look(d, a)
	case engine.List:
		l.list(d, a)
	case engine.Kill:
		l.kill(d, a)
	case engine.Survey:
		// What can not be read now is not known to have grown.
		if d.isMachine() {
			_ = l.table.Survey(l.question(d))
		}
		return false
	case engine.Escalate:
		l.escalate(d)
	case engine.Expedite:
		l.expedite(a)
		return false
	case engine.Examine:
		l.killer.examine(l.reapers, l.slowest(d), d.token(d.flight))
		return false
	case engine.Abandon:
		l.forget(d)
		return false
	case engine.Wait:
		d.deadline = a.Until
		if d.isMachine() {
			l.table.Refresh(l.question(d))
		}
		return false
	case engine.Relieve:
		d.relieve(a.Acts)
		return false
	case engine.Relent:
		d.relent(a.Acts)
		return false
	case engine.Rest:
		d.deadline = a.Again
		if d.isMachine() {
			l.table.Forget()
		}
		return l.rest(d, a)
	}
	return true
}

// look answers Sample.
func (l *loop) look(d *domain, a *engine.Action) {
	now := sys.Now()
	if a.Watermarks {
		// Kept from before when zoneinfo can not be read: marks move rarely.
		_ = d.memory.Watermarks(now, &d.marks)
	}
	err := d.memory.Sample(now, &d.sample)
	if d.cgroup != nil && d.cgroup.Gone() {
		d.gone = true
	}
	d.sample.Watermarks = d.marks
	l.in = engine.Input{Kind: engine.Sampled, Sample: &d.sample, Reclaim: l.reclaimOf(d), Targets: l.clients.Targets(), Errno: int32(sys.ErrnoOf(err))}
}

// list answers List.
func (l *loop) list(d *domain, a *engine.Action) {
	start := sys.Now()
	l.in = engine.Input{Kind: engine.Listed}
	ask := l.question(d)
	ask.Query, ask.Surveyed, ask.Dying = a.Query, a.Surveyed && d.isMachine(), d.policy.CountDying
	found, stats, err := l.table.Candidates(ask)
	l.candidates = found
	l.in.Candidates, l.in.Errno = found, int32(sys.ErrnoOf(err))
	l.in.Listing = engine.Listing{
		Seen: stats.Seen, Refused: stats.Refused, Detailed: stats.Detailed, Took: sys.Now() - start,
	}
}

// question is what a choice and a survey must know of the machine.
func (l *loop) question(d *domain) process.Ask {
	m := &d.sample.Memory
	ask := process.Ask{
		Policy: &d.policy.Victim, Roll: l.clients.Roll(), Now: sys.SinceBoot(), Available: m.Available, Shmem: m.Shmem, Mlocked: m.Mlocked,
		RAM: m.Total, Swap: m.SwapTotal, SwapUsed: m.SwapTotal - min(m.SwapTotal, m.SwapFree),
	}
	if d.cgroup != nil {
		ask.RAM, ask.Swap = d.cgroup.Machine()
	}
	ask.Within = d.subtree
	return ask
}

// kill answers Kill: open, compare, watch, signal, and leave the reclaim to a
// worker. The pidfd is watched before the signal, so that no end is missed.
func (l *loop) kill(d *domain, a *engine.Action) {
	start := sys.Now()
	e := l.strike(d, a)
	l.in = engine.Input{
		Kind: engine.Signalled, Errno: int32(e), Took: sys.Now() - start,
		Members: l.struck.members, Spared: l.struck.spared, Holds: l.struck.holds,
	}
}

func (l *loop) strike(d *domain, a *engine.Action) sys.Errno {
	target := &l.candidates[a.Index]
	l.struck = struck{}
	if err := d.victim.Reset(int(target.PID)); err != nil {
		return sys.ErrnoOf(err)
	}
	d.dying = true
	if e := l.epoll.Add(d.victim.Fd(), sys.In, d.token(tokenVictim)); e != 0 {
		l.forget(d)
		return e
	}
	l.inflight.begin(d.key, target)
	sig := sys.SIGKILL
	if a.Soft {
		sig = sys.SIGTERM
	}
	l.flights++
	d.flight = l.flights
	e := l.send(d, a, target, sig)
	l.struck.members, l.struck.spared = d.tree.size(), d.tree.spared
	if e != 0 {
		l.forget(d)
		return e
	}
	if !a.Soft {
		l.killer.reap(l.reapers, d.victim.Fd(), d.token(d.flight))
		l.reapMembers(d)
	}
	return 0
}

// struck is what a strike tells beside its error number.
type struck struct {
	members, spared int
	holds           engine.Hold
}

// send kills the victim, with those who die with it.
func (l *loop) send(d *domain, a *engine.Action, target *victim.Process, sig int) sys.Errno {
	if a.Tree {
		return l.fell(d, target)
	}
	if sig == sys.SIGKILL {
		e := l.pair(d, target)
		if e != 0 || len(d.tree.members) > 0 {
			l.struck.holds = engine.Shared
		}
		if e != 0 {
			return e
		}
	}
	return l.killer.signal(&d.victim, target.StartTime, sig)
}

// escalate answers Escalate. A victim that is gone by now needs no signal: its
// pidfd is ready, and says so.
func (l *loop) escalate(d *domain) {
	start := sys.Now()
	e := l.killer.signal(&d.victim, d.victim.StartTime(), sys.SIGKILL)
	if e == sys.ESRCH {
		e = 0
	}
	l.killer.reap(l.reapers, d.victim.Fd(), d.token(d.flight))
	l.in = engine.Input{Kind: engine.Signalled, Errno: int32(e), Took: sys.Now() - start}
}

// expedite helps somebody who is dying already, and whom nobody waits for. Its
// start time says that it is the one that was seen to die.
func (l *loop) expedite(a *engine.Action) {
	target := &l.candidates[a.Index]
	if l.helped.Reset(int(target.PID)) != nil {
		return
	}
	if l.helped.StartTime() == target.StartTime {
		l.killer.reap(l.reapers, l.helped.Fd(), noFlight)
	}
	_ = l.helped.Close()
}

// slowest gives the pidfd of the victim, or of one of those who die with it when
// it has gone before them.
func (l *loop) slowest(d *domain) int {
	if ready, e := sys.PollIn(d.victim.Fd()); len(d.tree.members) > 0 && (e != 0 || ready != 0) {
		return d.tree.members[0].fd.Int()
	}
	return d.victim.Fd()
}

// forget stops watching the victim and closes its pidfd.
func (l *loop) forget(d *domain) {
	if !d.dying {
		return
	}
	d.dying = false
	l.abandonTree(d)
	l.inflight.end(d.key)
	_ = d.boost.Undo() // a cgroup that is gone needs none
	d.boost = kill.Boost{}
	_ = l.epoll.Remove(d.victim.Fd())
	_ = d.victim.Close()
}

// begin hands in the start of every domain.
func (l *loop) begin(found []adopted) {
	for _, d := range l.domains {
		if d != nil {
			l.start(d, found)
		}
	}
	l.running = true
}

// start hands in the start of d, or its victim of an earlier run that is dying
// still.
func (l *loop) start(d *domain, found []adopted) {
	for i := range found {
		if found[i].domain == d.key && l.adopt(d, &found[i].victim) {
			l.handle(d, engine.Input{Kind: engine.Adopted, Candidates: []victim.Process{found[i].victim}})
			return
		}
	}
	l.handle(d, engine.Input{Kind: engine.Started})
}

// adopt takes over the wait for a victim, false when it is gone.
func (l *loop) adopt(d *domain, v *victim.Process) bool {
	if d.victim.Reset(int(v.PID)) != nil {
		return false
	}
	d.dying = true
	if d.victim.StartTime() != v.StartTime || l.epoll.Add(d.victim.Fd(), sys.In, d.token(tokenVictim)) != 0 {
		l.forget(d)
		return false
	}
	l.inflight.begin(d.key, v)
	l.flights++
	d.flight = l.flights
	l.killer.reap(l.reapers, d.victim.Fd(), d.token(d.flight))
	return true
}

// rest arms what wakes the domain. A wake that came between the last sample and
// the arming is the next input.
func (l *loop) rest(d *domain, a *engine.Action) bool {
	wake := engine.Input{Kind: engine.Woken}
	if !d.isMachine() || !l.reclaims.arm(a.Until, a.Room, &wake) {
		return false
	}
	l.in = wake
	return true
}

// reclaimOf gives what the kernel reclaims of the machine; of a part of it the
// events do not tell.
func (l *loop) reclaimOf(d *domain) pressure.Reclaim {
	if !d.isMachine() {
		return pressure.Reclaim{}
	}
	return l.reclaims.state()
}
