package daemon

import (
	"time"

	"github.com/lmkd/lmkd/internal/engine"
	"github.com/lmkd/lmkd/internal/process"
	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/kill"
	"github.com/lmkd/lmkd/pkg/victim"
)

// do carries out one action; true when the answer is the next input.
func (l *loop) do(a *engine.Action) bool {
	switch a.Do {
	case engine.Sample:
		l.look(a)
	case engine.List:
		l.list(a)
	case engine.Kill:
		l.kill(a)
	case engine.Survey:
		// What can not be read now is not known to have grown.
		_ = l.table.Survey(l.question())
		return false
	case engine.Escalate:
		l.escalate()
	case engine.Abandon:
		l.forget()
		return false
	case engine.Wait:
		l.deadline = a.Until
		l.table.Refresh(l.question())
		return false
	case engine.Rest:
		l.deadline = 0
		l.table.Forget()
		return l.rest(a.Until)
	}
	return true
}

// look answers Sample.
func (l *loop) look(a *engine.Action) {
	now := sys.Now()
	if a.Watermarks {
		// Kept from before when zoneinfo can not be read: marks move rarely.
		_ = l.memory.Watermarks(now, &l.marks)
	}
	err := l.memory.Sample(now, &l.sample)
	l.sample.Watermarks = l.marks
	l.in = engine.Input{Kind: engine.Sampled, Sample: &l.sample, Reclaim: l.sources.reclaim(), Errno: int32(sys.ErrnoOf(err))}
}

// list answers List.
func (l *loop) list(a *engine.Action) {
	start := sys.Now()
	l.in = engine.Input{Kind: engine.Listed}
	ask := l.question()
	ask.Query, ask.Surveyed = a.Query, a.Surveyed
	found, stats, err := l.table.Candidates(ask)
	l.candidates = found
	l.in.Candidates, l.in.Errno = found, int32(sys.ErrnoOf(err))
	l.in.Listing = engine.Listing{
		Seen: stats.Seen, Refused: stats.Refused, Detailed: stats.Detailed, Took: sys.Now() - start,
	}
}

// question is what a choice and a survey must know of the machine.
func (l *loop) question() process.Ask {
	m := &l.sample.Memory
	return process.Ask{
		Policy: &l.policy.Victim, Now: sys.SinceBoot(), Available: m.Available,
		RAM: m.Total, Swap: m.SwapTotal, SwapUsed: m.SwapTotal - min(m.SwapTotal, m.SwapFree),
	}
}

// kill answers Kill: open, compare, watch, signal, and leave the reclaim to a
// worker. The pidfd is watched before the signal, so that no end is missed.
func (l *loop) kill(a *engine.Action) {
	start := sys.Now()
	e := l.strike(a)
	l.in = engine.Input{Kind: engine.Signalled, Errno: int32(e), Took: sys.Now() - start, Members: l.tree.n}
}

func (l *loop) strike(a *engine.Action) sys.Errno {
	target := &l.candidates[a.Index]
	if err := l.victim.Reset(int(target.PID)); err != nil {
		return sys.ErrnoOf(err)
	}
	l.dying = true
	if e := l.epoll.Add(l.victim.Fd(), sys.In, tokenVictim); e != 0 {
		l.forget()
		return e
	}
	l.inflight.begin(target)
	sig := sys.SIGKILL
	if a.Soft {
		sig = sys.SIGTERM
	}
	if e := l.send(a, target, sig); e != 0 {
		l.forget()
		return e
	}
	l.flight++
	if !a.Soft {
		l.killer.reap(l.reapers, l.victim.Fd(), l.flight)
	}
	return 0
}

// send kills the victim, alone or with its descendants.
func (l *loop) send(a *engine.Action, target *victim.Process, sig int) sys.Errno {
	if a.Tree {
		return l.fell(target)
	}
	return l.killer.signal(&l.victim, target.StartTime, sig)
}

// escalate answers Escalate. A victim that is gone by now needs no signal: its
// pidfd is ready, and says so.
func (l *loop) escalate() {
	start := sys.Now()
	e := l.killer.signal(&l.victim, l.victim.StartTime(), sys.SIGKILL)
	if e == sys.ESRCH {
		e = 0
	}
	l.killer.reap(l.reapers, l.victim.Fd(), l.flight)
	l.in = engine.Input{Kind: engine.Signalled, Errno: int32(e), Took: sys.Now() - start}
}

// forget stops watching the victim and closes its pidfd.
func (l *loop) forget() {
	if !l.dying {
		return
	}
	l.dying = false
	l.abandonTree()
	l.inflight.end()
	_ = l.boost.Undo() // a cgroup that is gone needs none
	l.boost = kill.Boost{}
	_ = l.epoll.Remove(l.victim.Fd())
	_ = l.victim.Close()
}

// begin hands in the start, or the victim of an earlier run that is dying still.
func (l *loop) begin(adopted *victim.Process) {
	if adopted == nil || l.victim.Reset(int(adopted.PID)) != nil {
		l.handle(engine.Input{Kind: engine.Started})
		return
	}
	l.dying = true
	if l.victim.StartTime() != adopted.StartTime || l.epoll.Add(l.victim.Fd(), sys.In, tokenVictim) != 0 {
		l.forget()
		l.handle(engine.Input{Kind: engine.Started})
		return
	}
	l.inflight.begin(adopted)
	l.flight++
	l.killer.reap(l.reapers, l.victim.Fd(), l.flight)
	l.handle(engine.Input{Kind: engine.Adopted, Candidates: []victim.Process{*adopted}})
}

// rest arms what wakes the loop. A wake that came between the last sample and
// the arming is the next input.
func (l *loop) rest(notBefore time.Duration) bool {
	wake := engine.Input{Kind: engine.Woken}
	if !l.sources.arm(notBefore, &wake) {
		return false
	}
	l.in = wake
	return true
}
