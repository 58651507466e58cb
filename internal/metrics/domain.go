package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lmkd/lmkd/internal/engine"
	"github.com/lmkd/lmkd/pkg/pressure"
)

// domain is the series of one domain, found once so that observing allocates
// nothing.
type domain struct {
	f    *families
	name string

	reasons                            map[pressure.Reason]*byReason
	wakes                              [len(wakeSources)]prometheus.Counter
	timer, oomKills, freed             prometheus.Counter
	wakeToSignal, verdictToSignal      prometheus.Observer
	signalToMemory, signalToExit, scan prometheus.Observer
	level, blind, inFlight             prometheus.Gauge
	lastKill, lastJudged, processes    reading
	memory                             *readings
	verdict                            pressure.Reason // of the last judgement
	kernelKills                        uint64          // the kernel's counter at the last sample
	sampled                            bool
}

var wakeSources = [...]struct {
	source engine.Source
	name   string
}{
	{engine.FromPSI, "psi"},
	{engine.FromKswapd, "kswapd"},
	{engine.FromDirect, "direct_reclaim"},
	{engine.FromOOM, "kernel_oom"},
	{engine.FromVmpressure, "vmpressure"},
	{engine.FromFaults, "faults"},
}

// byReason are the counters of one reason.
type byReason struct {
	judgements, nobody      prometheus.Counter
	exited, timedOut, stuck prometheus.Counter
	failed                  prometheus.Counter
	freeing, cooling        prometheus.Counter
}

// reason gives the counters of r. None has judgements alone: it kills nobody.
func (d *domain) reason(r pressure.Reason) *byReason {
	c, ok := d.reasons[r]
	if ok {
		return c
	}
	name := r.String()
	c = &byReason{judgements: d.f.judgements.WithLabelValues(d.name, name)}
	if r != pressure.None {
		c.nobody = d.f.nobody.WithLabelValues(d.name, name)
		c.exited = d.f.kills.WithLabelValues(d.name, name, "exited")
		c.timedOut = d.f.kills.WithLabelValues(d.name, name, "timed_out")
		c.failed = d.f.kills.WithLabelValues(d.name, name, "failed")
		c.stuck = d.f.kills.WithLabelValues(d.name, name, "stuck")
		c.freeing = d.f.waited.WithLabelValues(d.name, name, "freeing")
		c.cooling = d.f.waited.WithLabelValues(d.name, name, "cooling")
	}
	d.reasons[r] = c
	return c
}

// input takes what happened.
func (d *domain) input(in *engine.Input) {
	switch in.Kind {
	case engine.Woken:
		d.woken(in.Source)
	case engine.Elapsed:
		d.timer.Inc()
	case engine.Sampled:
		d.blind.Set(number(in.Errno != 0))
		if in.Errno == 0 && in.Sample != nil {
			d.kernel(in.Sample)
			d.memory.sample(in.Sample)
		}
	case engine.Listed:
		d.listed(&in.Listing)
	case engine.Signalled:
		d.inFlight.Set(number(in.Errno == 0))
	case engine.Exited:
		d.inFlight.Set(0)
	}
}

func (d *domain) woken(from engine.Source) {
	for i := range wakeSources {
		if from&wakeSources[i].source != 0 {
			d.wakes[i].Inc()
		}
	}
}

// kernel counts the kernel's own kills since the first sample.
func (d *domain) kernel(s *pressure.Sample) {
	now := s.Counters.OOMKill
	if d.sampled && now > d.kernelKills {
		d.oomKills.Add(float64(now - d.kernelKills))
	}
	d.kernelKills, d.sampled = now, true
}

func (d *domain) listed(l *engine.Listing) {
	d.processes.set(true, float64(l.Seen))
	d.scan.Observe(l.Took.Seconds())
}

// output takes what was decided.
func (d *domain) output(in *engine.Input, out *engine.Output) {
	d.level.Set(float64(out.Level))
	if v := out.Verdict; v != nil {
		d.verdict = v.Reason
		d.reason(v.Reason).judgements.Inc()
		d.memory.facts(in.Sample, &v.Facts)
	}
	d.noted(out.Note)
	for i := range out.Actions {
		if out.Actions[i].Do == engine.Abandon {
			d.inFlight.Set(0)
		}
	}
}

// noted counts the looks that wanted a kill and got none.
func (d *domain) noted(note engine.Note) {
	if d.verdict == pressure.None {
		return
	}
	switch r := d.reason(d.verdict); note {
	case engine.Nobody:
		r.nobody.Inc()
	case engine.Freeing:
		r.freeing.Inc()
	case engine.Cooling:
		r.cooling.Inc()
	}
}

// ended takes the outcome of a kill; wall turns an instant into a time of day.
func (d *domain) ended(note engine.Note, o *engine.Outcome, wall func(time.Duration) float64) {
	if o.Adopted {
		return // the run that began it counted it
	}
	r := d.reason(o.Verdict.Reason)
	switch note {
	case engine.KillFailed:
		r.failed.Inc()
		return
	case engine.KillTimeout:
		r.timedOut.Inc()
	case engine.KillStuck:
		r.stuck.Inc()
	case engine.KillDone:
		r.exited.Inc()
		d.freed.Add(float64(max(0, o.Freed())))
	default:
		return
	}
	d.times(o)
	d.lastKill.set(true, wall(o.SignalledAt))
}

func (d *domain) times(o *engine.Outcome) {
	if o.WokenAt > 0 {
		d.wakeToSignal.Observe((o.SignalledAt - o.WokenAt).Seconds())
	}
	d.verdictToSignal.Observe((o.SignalledAt - o.VerdictAt).Seconds())
	if o.ExitedAt > 0 {
		d.signalToExit.Observe((o.ExitedAt - o.SignalledAt).Seconds())
	}
	switch {
	case o.Reaped && o.ReapErrno == 0:
		d.signalToMemory.Observe((o.ReapedAt - o.SignalledAt).Seconds())
	case o.ExitedAt > 0:
		d.signalToMemory.Observe((o.ExitedAt - o.SignalledAt).Seconds())
	}
}
