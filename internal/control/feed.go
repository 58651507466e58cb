package control

import (
	"time"

	"github.com/lmkd/lmkd/internal/engine"
	"github.com/lmkd/lmkd/internal/record"
	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/pressure"
	"github.com/lmkd/lmkd/pkg/victim"
)

// Feed is the sink of the flight recorder that tells clients what the engine did:
// of a kill once its signal was sent, and of each change of a level. Either server
// may be nil.
type Feed struct {
	Android *Android
	Native  *Native
	DryRun  bool                    // nobody is killed, and nobody hears of a kill
	Name    func(who uint16) string // of a domain

	domains map[uint16]*fed
}

// fed is what a Feed remembers of a domain.
type fed struct {
	verdict      pressure.Verdict
	maxThrashing int
	victim       victim.Process // chosen, and not signalled yet; pid 0 for none
}

// Record implements record.Sink.
func (f *Feed) Record(e *record.Entry) {
	if f.domains == nil {
		f.domains = map[uint16]*fed{}
	}
	if e.Closed {
		delete(f.domains, e.Domain)
		return
	}
	d := f.domains[e.Domain]
	if d == nil {
		d = &fed{}
		f.domains[e.Domain] = d
	}
	if v := e.Out.Verdict; v != nil {
		d.verdict, d.maxThrashing = *v, max(d.maxThrashing, v.Facts.Thrashing)
	}
	if e.In.Kind == engine.Signalled {
		f.signalled(d, e)
	}
	if p := chosen(e); p != nil {
		d.victim = *p
		d.victim.Cgroup, d.victim.Cmdline = nil, nil
	}
	if e.Out.LevelChanged && f.Native != nil {
		f.Native.Level(f.nameOf(e), e.Out.Level, wall(e.In.At))
	}
}

// nameOf gives the name of the domain of an entry.
func (f *Feed) nameOf(e *record.Entry) string {
	if e.Of != nil {
		return e.Of.Name
	}
	return f.Name(e.Domain)
}

// chosen gives the victim that a step asks to kill, nil for none.
func chosen(e *record.Entry) *victim.Process {
	for i := range e.Out.Actions {
		a := &e.Out.Actions[i]
		if a.Do == engine.Kill && a.Index >= 0 && a.Index < len(e.In.Candidates) {
			return &e.In.Candidates[a.Index]
		}
	}
	return nil
}

// signalled tells of a kill by its first signal; SIGKILL after SIGTERM is the same
// one.
func (f *Feed) signalled(d *fed, e *record.Entry) {
	k := Kill{Victim: d.victim, Verdict: d.verdict, MaxThrashing: d.maxThrashing}
	d.victim = victim.Process{}
	if e.In.Errno != 0 || k.Victim.PID == 0 || f.DryRun {
		return
	}
	d.maxThrashing = 0
	if f.Android != nil {
		f.Android.Killed(&k)
	}
	if f.Native != nil {
		f.Native.Killed(f.nameOf(e), &k, wall(e.In.At))
	}
}

// wall turns CLOCK_MONOTONIC into the time of day.
func wall(at time.Duration) time.Time { return time.Now().Add(at - sys.Now()) }
