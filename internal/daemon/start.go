package daemon

import (
	"errors"
	"runtime"
	"runtime/debug"

	"github.com/lmkd/lmkd/internal/engine"
	"github.com/lmkd/lmkd/internal/memevent"
	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/internal/vmpressure"
	"github.com/lmkd/lmkd/pkg/pressure"
	"github.com/lmkd/lmkd/pkg/psi"
	"github.com/lmkd/lmkd/pkg/victim"
)

// openSources arms what the kernel gives, and falls back by steps: slower
// triggers, reclaim events alone, sampling by the clock.
func (d *Daemon) openSources(l *loop) {
	m := l.machine()
	p := m.policy
	d.openVmpressure(m)
	at, file := thresholdsOf(p), psi.MemoryFile(d.opt.Root)
	if p.Vmpressure {
		at = thresholds{}
	}
	err := m.triggers.arm(file, at)
	p.Untriggered = err != nil
	if errors.Is(err, psi.ErrPrivilege) {
		at = at.unprivileged()
		if err = m.triggers.arm(file, at); err == nil {
			d.opt.Say("pressure triggers with less privilege, %v, speak later; while the daemon watches it measures stalls from PSI totals", at)
		}
	}
	l.reclaims.events, _ = memevent.Open()
	if e := l.reclaims.events; e != nil && e.Faults() != nil {
		d.opt.Say("page faults wake nothing, so that memory which fills fast without swap is seen late: %v", e.Faults())
	}
	l.reclaims.stuckAfter = p.Pressure.DirectReclaimThreshold
	p.Sampling = err != nil && l.reclaims.events == nil
	switch {
	case p.Sampling:
		d.opt.Say("nothing here can wake the daemon: memory is sampled every %v to %v, by the distance to the limit", p.PollUrgent, p.PollSlow)
	case errors.Is(err, psi.ErrAbsent) || errors.Is(err, psi.ErrOff):
		d.opt.Say("reclaim events alone wake the daemon: there is no pressure information")
	case err != nil:
		d.opt.Say("reclaim events wake the daemon instead of pressure triggers; stalls are measured from PSI totals while it watches")
	}
}

// openVmpressure listens to cgroup v1's words where the policy wants them. Without
// them stalls are the next best events.
func (d *Daemon) openVmpressure(m *domain) {
	if !m.policy.Vmpressure {
		return
	}
	var err error
	if m.vmpressure, err = vmpressure.Open(d.opt.Root); err != nil {
		m.policy.Vmpressure = false
		d.opt.Say("stalls (PSI) are the events in place of vmpressure: %v", err)
	}
}

// kinds says what wakes the machine's domain.
func (l *loop) kinds() Sources {
	m := l.machine()
	return Sources{
		Triggers: m.triggers.any(), Vmpressure: m.vmpressure != nil, Events: l.reclaims.events != nil,
		Stalls: m.sample.Has&pressure.HasStall != 0,
	}
}

// noFlight is the token of a reclaim that belongs to no kill, and to no domain.
const noFlight = ^uint64(0)

// rehearse walks the whole line once without a victim, so that every page and
// every buffer that a kill needs has been touched: sample, judge, list, rank,
// open a pidfd, watch it, signal 0, submit a reclaim that the kernel refuses.
func (l *loop) rehearse() {
	d := l.machine()
	policy, state := *d.policy, engine.NewState(cap(d.state.Ranking().Places))
	l.look(d, &engine.Action{Do: engine.Sample, Watermarks: true})
	l.in.At = sys.Now()
	engine.Step(&policy, state, &engine.Input{Kind: engine.Started, At: l.in.At})
	engine.Step(&policy, state, &l.in)
	l.list(d, &engine.Action{Do: engine.List, Query: victim.Query{MinAdj: -1000}})
	_ = l.table.Survey(l.question(d))
	l.table.Refresh(l.question(d))
	l.table.Forget()
	_ = l.table.Descendants(int32(sys.Getpid()), l.descendants[:0])
	policy.Victim.Rank(&victim.Query{MinAdj: -1000}, l.candidates, state.Ranking())
	if err := d.victim.Reset(sys.Getpid()); err == nil {
		_ = l.epoll.Add(d.victim.Fd(), sys.In, d.token(tokenVictim))
		_ = dry{}.signal(&d.victim, d.victim.StartTime(), 0)
		_ = l.reapers.Submit(d.victim.Fd(), noFlight)
		d.dying = true
		l.forget(d)
	}
	_, _ = l.epoll.Wait(l.events[:], 0)
	l.reclaims.state()
}

// collectGarbage ends the allocations of the start: what is garbage is collected, and
// from here on the collector runs only when the heap grows by slack, never by
// the clock. At rest nothing of the runtime wakes.
func collectGarbage() {
	const slack = 8 << 20
	debug.SetGCPercent(100)
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	debug.SetMemoryLimit(int64(m.Sys-m.HeapReleased) + slack)
	debug.SetGCPercent(-1)
}
