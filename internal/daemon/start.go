package daemon

import (
	"errors"
	"runtime"
	"runtime/debug"

	"github.com/lmkd/lmkd/internal/engine"
	"github.com/lmkd/lmkd/internal/memevent"
	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/pressure"
	"github.com/lmkd/lmkd/pkg/psi"
	"github.com/lmkd/lmkd/pkg/victim"
)

// openSources arms what the kernel gives and says what it does not, what that
// costs and what cures it.
func (d *Daemon) openSources(l *loop) {
	p := l.policy
	var errMedium, errCritical, errEvents error
	file := psi.MemoryFile(d.opt.Root)
	l.sources.medium, errMedium = psi.Arm(file, psi.Threshold{Kind: psi.Some, Stall: p.Partial, Window: p.Window})
	l.sources.critical, errCritical = psi.Arm(file, psi.Threshold{Kind: psi.Full, Stall: p.Complete, Window: p.Window})
	l.sources.events, errEvents = memevent.Open()
	if err := errors.Join(errMedium, errCritical); err != nil {
		p.Untriggered = true
		l.sources.dropTriggers()
		d.opt.Say("%v", firstOf(errMedium, errCritical))
	}
	if errEvents != nil {
		d.opt.Say("%v", errEvents)
	}
	p.Sampling = p.Untriggered && errEvents != nil
	switch {
	case p.Sampling:
		d.opt.Say("nothing here can wake the daemon: memory is sampled every %v to %v, by the distance to the limit", p.PollUrgent, p.PollSlow)
	case p.Untriggered:
		d.opt.Say("reclaim events wake the daemon instead of pressure triggers; stalls are measured from PSI totals while it watches")
	}
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// dropTriggers closes a pair of which one is missing: the engine compares the
// totals itself then, for both.
func (s *sources) dropTriggers() {
	if s.medium != nil {
		_ = s.medium.Close()
	}
	if s.critical != nil {
		_ = s.critical.Close()
	}
	s.medium, s.critical = nil, nil
}

func (s *sources) kinds(has pressure.Has) Sources {
	return Sources{Triggers: s.medium != nil, Events: s.events != nil, Stalls: has&pressure.HasStall != 0}
}

// rehearse walks the whole line once without a victim, so that every page and
// every buffer that a kill needs has been touched: sample, judge, list, rank,
// open a pidfd, watch it, signal 0, submit a reclaim that the kernel refuses.
func (l *loop) rehearse() {
	policy, state := *l.policy, engine.NewState(cap(l.state.Ranking().Places))
	l.look(&engine.Action{Do: engine.Sample, Watermarks: true})
	l.in.At = sys.Now()
	engine.Step(&policy, state, &engine.Input{Kind: engine.Started, At: l.in.At})
	engine.Step(&policy, state, &l.in)
	l.list(&engine.Action{Do: engine.List, Query: victim.Query{MinAdj: -1000}, SwapInUse: true})
	policy.Victim.Rank(&victim.Query{MinAdj: -1000}, l.candidates, state.Ranking())
	if err := l.victim.Reset(sys.Getpid()); err == nil {
		_ = l.epoll.Add(l.victim.Fd(), sys.In, tokenVictim)
		_ = dry{}.signal(&l.victim, l.victim.StartTime())
		_ = l.reapers.Submit(l.victim.Fd(), 0)
		l.dying = true
		l.forget()
	}
	_, _ = l.epoll.Wait(l.events[:], 0)
	l.sources.reclaim()
}

// settle ends the allocations of the start: what is garbage is collected, and
// from here on the collector runs only when the heap grows by slack, never by
// the clock. At rest nothing of the runtime wakes.
func settle() {
	const slack = 8 << 20
	debug.SetGCPercent(100)
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	debug.SetMemoryLimit(int64(m.Sys-m.HeapReleased) + slack)
	debug.SetGCPercent(-1)
}
