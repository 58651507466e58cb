package metrics

import (
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/lmkd/lmkd/internal/engine"
	"github.com/lmkd/lmkd/internal/sys"
)

// Machine is the domain of the whole machine; other domains are cgroups.
const Machine = "machine"

// Info is what a process of the daemon keeps to its end.
type Info struct {
	Version string
	Profile string // "linux"
	Config  string // the file that the config was read from
	DryRun  bool
}

// Source is a way in which the daemon learns of pressure.
type Source string

// The sources, best first.
const (
	PSI                  Source = "psi"                   // pressure triggers
	Memevent             Source = "memevent"              // reclaim events through BPF
	PSISampling          Source = "psi_sampling"          // the totals of the pressure file, read again and again
	MemAvailableSampling Source = "memavailable_sampling" // MemAvailable, read again and again
	Vmstat               Source = "vmstat"                // reclaim state from counters, while pressed
)

// Sources lists all of them.
func Sources() []Source {
	return []Source{PSI, Memevent, PSISampling, MemAvailableSampling, Vmstat}
}

// Clock gives the time of day and CLOCK_MONOTONIC at one instant.
type Clock func() (wall time.Time, monotonic time.Duration)

func kernelClock() (time.Time, time.Duration) { return time.Now(), sys.Now() }

// Metrics is one registry and what feeds it. Observe and Forget belong to one
// goroutine; every other method may be called from any.
type Metrics struct {
	registry *prometheus.Registry
	own      []prometheus.Collector // what this package must set, for its test
	clock    Clock
	families *families
	domains  map[string]*domain

	sources  *prometheus.GaugeVec
	features *prometheus.GaugeVec
	dropped  prometheus.Counter
}

// New makes the metrics of a process, with every series of the machine that can
// be told beforehand at 0.
func New(info Info) *Metrics { return newMetrics(info, kernelClock) }

func newMetrics(info Info, clock Clock) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), clock: clock, domains: map[string]*domain{}}
	m.registry.MustRegister(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.describe(info)
	m.sources = m.gauges("lmkd_source_active", "Whether the daemon learns of pressure in this way.", "source")
	m.features = m.gauges("lmkd_feature_available", "Whether the kernel and the permissions give this feature, as probed at start.", "feature")
	m.dropped = m.counters("lmkd_record_dropped_total", "Entries of the flight recorder that were overwritten before they were published.").WithLabelValues()
	for _, s := range Sources() {
		m.sources.WithLabelValues(string(s))
	}
	m.families = m.newFamilies()
	m.domain(Machine)
	return m
}

// describe sets what never changes.
func (m *Metrics) describe(info Info) {
	m.gauges("lmkd_build_info", "The version of the daemon, always 1.", "version", "goversion").
		WithLabelValues(info.Version, runtime.Version()).Set(1)
	m.gauges("lmkd_config_info", "The profile and the source of the config, always 1.", "profile", "source").
		WithLabelValues(info.Profile, info.Config).Set(1)
	m.gauges("lmkd_dry_run", "Whether the daemon only decides and kills nothing.").
		WithLabelValues().Set(number(info.DryRun))
}

// SetSource says whether a source is in use.
func (m *Metrics) SetSource(s Source, active bool) {
	m.sources.WithLabelValues(string(s)).Set(number(active))
}

// SetFeature says whether a feature of the kernel is there.
func (m *Metrics) SetFeature(name string, available bool) {
	m.features.WithLabelValues(name).Set(number(available))
}

// Dropped counts entries of the flight recorder that no one could publish.
func (m *Metrics) Dropped(n uint64) { m.dropped.Add(float64(n)) }

// Observe takes one step of a domain's engine into the metrics.
func (m *Metrics) Observe(name string, in *engine.Input, out *engine.Output) {
	d := m.domain(name)
	d.input(in)
	d.output(in, out)
	if out.Verdict != nil {
		d.lastJudged.set(true, m.wall(in.At))
	}
	if out.Outcome != nil {
		d.ended(out.Note, out.Outcome, m.wall)
	}
}

// Forget drops every series of a domain that is gone.
func (m *Metrics) Forget(name string) {
	for _, c := range m.own {
		switch c := c.(type) {
		case *prometheus.CounterVec:
			c.DeletePartialMatch(prometheus.Labels{"domain": name})
		case *prometheus.GaugeVec:
			c.DeletePartialMatch(prometheus.Labels{"domain": name})
		case *prometheus.HistogramVec:
			c.DeletePartialMatch(prometheus.Labels{"domain": name})
		}
	}
	delete(m.domains, name)
}

func (m *Metrics) domain(name string) *domain {
	d, ok := m.domains[name]
	if !ok {
		d = m.families.domain(name)
		m.domains[name] = d
	}
	return d
}

// wall gives the time of day of an instant of CLOCK_MONOTONIC in seconds since
// 1970.
func (m *Metrics) wall(at time.Duration) float64 {
	wall, now := m.clock()
	return float64(wall.Add(at-now).UnixMicro()) / 1e6
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func (m *Metrics) gauges(name, help string, labels ...string) *prometheus.GaugeVec {
	v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
	m.register(v)
	return v
}

func (m *Metrics) counters(name, help string, labels ...string) *prometheus.CounterVec {
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	m.register(v)
	return v
}

func (m *Metrics) histograms(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
	m.register(v)
	return v
}

func (m *Metrics) register(c prometheus.Collector) {
	m.registry.MustRegister(c)
	m.own = append(m.own, c)
}
