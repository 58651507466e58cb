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
	Name    func(who uint16) string // of a domain that is there from the start

	domains map[uint16]*fed
}

// fed is what a Feed remembers of a domain.
type fed struct {
	of           *record.Domain // nil for one of the start
	name         string
	verdict      pressure.Verdict
	maxThrashing int
	victim       victim.Process // chosen, and not signalled yet; pid 0 for none
}

// Record implements record.Sink.
func (f *Feed) Record(e *record.Entry) {
	d := f.domain(e)
	if e.Closed {
		f.end(e.Domain, d, e.In.At)
		return
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
		f.Native.Level(d.name, e.Out.Level, wall(e.In.At))
	}
}

// domain gives what is remembered of the domain of an entry. Another one that has
// its number by now is another domain.
func (f *Feed) domain(e *record.Entry) *fed {
	if f.domains == nil {
		f.domains = map[uint16]*fed{}
	}
	d := f.domains[e.Domain]
	if d != nil && d.of != e.Of {
		f.end(e.Domain, d, e.In.At) // its end was overwritten before it was read
		d = nil
	}
	if d == nil {
		d = &fed{of: e.Of}
		if e.Of != nil {
			d.name = e.Of.Name
		} else {
			d.name = f.Name(e.Domain)
		}
		f.domains[e.Domain] = d
	}
	return d
}

// end forgets a domain that is gone.
func (f *Feed) end(id uint16, d *fed, at time.Duration) {
	delete(f.domains, id)
	if f.Native != nil {
		f.Native.Gone(d.name, wall(at))
	}
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
		f.Native.Killed(d.name, &k, wall(e.In.At))
	}
}

// wall turns CLOCK_MONOTONIC into the time of day.
func wall(at time.Duration) time.Time { return time.Now().Add(at - sys.Now()) }
