package main

import (
	"log"
	"os"
	"strings"
	"sync"

	sdnotify "github.com/coreos/go-systemd/v22/daemon"

	"github.com/lmkd/lmkd/internal/config"
	"github.com/lmkd/lmkd/internal/control"
	"github.com/lmkd/lmkd/internal/daemon"
	"github.com/lmkd/lmkd/internal/engine"
	"github.com/lmkd/lmkd/internal/metrics"
	"github.com/lmkd/lmkd/internal/probe"
	"github.com/lmkd/lmkd/internal/record"
	"github.com/lmkd/lmkd/internal/sys"
)

// publisher carries what the flight recorder holds out of the loop's way: to
// the log, the trace and the metrics.
type publisher struct {
	cfg     *config.Config
	say     *log.Logger
	dryRun  bool
	metrics *metrics.Metrics
	server  *metrics.Server // nil unless metrics are served
	file    *os.File        // of the trace, nil without one
	run     *record.Publisher
	standby *record.Publisher // of the watchdog's ring
	stand   *record.Ring
	sockets *sockets
}

// newPublisher opens the trace and the metrics socket, so that what is wrong
// with either is said before anything is armed.
func newPublisher(cfg *config.Config, trace string, dryRun bool, say *log.Logger) (*publisher, error) {
	p := &publisher{cfg: cfg, say: say, dryRun: dryRun, metrics: metrics.New(metrics.Info{
		Version: version, Profile: cfg.Profile.String(), Config: cfg.Source, DryRun: dryRun,
	})}
	if trace == "" {
		trace = cfg.Trace
	}
	var err error
	if trace != "" {
		if p.file, err = os.Create(trace); err != nil {
			return nil, err
		}
	}
	if p.sockets, err = openSockets(&cfg.Control, say); err != nil {
		return nil, err
	}
	if cfg.Metrics.Listen == "" {
		return p, nil
	}
	if p.server, err = p.metrics.Listen(cfg.Metrics.Listen, say); err != nil {
		p.sockets.close()
		return nil, err
	}
	go p.serve()
	return p, nil
}

func (p *publisher) serve() {
	if err := p.server.Serve(); err != nil {
		p.say.Printf("metrics: %v", err)
	}
}

// probed says what is lacking, each once, with what is lost and its cure.
func (p *publisher) probed(findings []probe.Finding) {
	for i := range findings {
		f := &findings[i]
		p.metrics.SetFeature(f.Name, !f.Lacking())
		if f.Lacking() {
			p.say.Print(f)
		}
	}
}

// begin makes the flight recorder for the policy that the kernel permits.
func (p *publisher) begin(policy *engine.Policy) (daemon.Recorder, error) {
	domains := []record.Domain{
		{Name: metrics.Machine, Policy: *policy},
		{ID: daemon.WatchdogDomain, Name: "watchdog", Policy: daemon.WatchdogPolicy(policy)},
	}
	log := record.NewLog(record.LogOptions{Domains: domains, DryRun: p.dryRun, Debug: p.cfg.Debug}, func(line string) { p.say.Print(line) })
	sinks := []record.Sink{observer{p.metrics, p.server != nil, map[uint16]*record.Domain{}}, log, told{p.feed()}}
	if p.file != nil {
		sinks = append(sinks, record.NewTraceWriter(p.file, header(domains), func(err error) {
			p.say.Printf("the trace ends here: %v", err)
		}))
	}
	size := record.DefaultSize
	if p.file != nil {
		size = record.TraceSize
	}
	ring := record.NewRing(size)
	all := &shared{sinks: sinks}
	p.run = record.Publish(ring, all)
	p.stand = record.NewRing(record.Size{Entries: 64, Tables: 2, Outcomes: 2})
	p.standby = record.Publish(p.stand, all)
	return ring, nil
}

// watchdog gives the flight recorder of the watchdog's thread.
func (p *publisher) watchdog() daemon.Recorder { return p.stand }

// told keeps the watchdog's levels from clients: it looks once, and never says
// that a level is over.
type told struct{ record.Sink }

func (t told) Record(e *record.Entry) {
	if e.Domain == daemon.WatchdogDomain && e.Out.LevelChanged {
		quiet := *e
		quiet.Out.LevelChanged = false
		e = &quiet
	}
	t.Sink.Record(e)
}

// shared are the sinks of two publishers, one at a time: the loop's, and the
// watchdog's that stands in for it.
type shared struct {
	mu    sync.Mutex
	sinks []record.Sink
}

func (s *shared) Record(e *record.Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sink := range s.sinks {
		sink.Record(e)
	}
}

func (s *shared) Flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sink := range s.sinks {
		if f, ok := sink.(record.Flusher); ok {
			f.Flush()
		}
	}
}

// clients gives what clients say from outside.
func (p *publisher) clients() daemon.Clients {
	if p.sockets.android == nil {
		return nil
	}
	return p.sockets.android
}

// feed tells clients what the log has told.
func (p *publisher) feed() record.Sink {
	return &control.Feed{
		Android: p.sockets.android, Native: p.sockets.native, DryRun: p.dryRun,
		Name: domainName,
	}
}

func header(domains []record.Domain) *record.Header {
	return &record.Header{
		Format: record.Format, Version: version, Kernel: sys.KernelRelease(), BootID: bootID(),
		PageSize: sys.Pagesize(), Domains: domains,
	}
}

// bootID is what tells this boot's times from any other's, empty when /proc
// does not tell.
func bootID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
}

// ready tells systemd and the log that the sources are armed.
func (p *publisher) ready(s daemon.Sources) {
	for source, active := range map[metrics.Source]bool{
		metrics.PSI:                  s.Triggers,
		metrics.Memevent:             s.Events,
		metrics.PSISampling:          !s.Triggers && s.Stalls,
		metrics.MemAvailableSampling: !s.Triggers && !s.Events && !s.Stalls,
		metrics.Vmstat:               !s.Events,
	} {
		p.metrics.SetSource(source, active)
	}
	mode := ""
	if p.dryRun {
		mode = ", killing nothing (dry run)"
	}
	p.say.Printf("lmkd %s is ready: profile %s from %s, woken by %s%s", version, p.cfg.Profile, p.cfg.Source, s, mode)
	if text := p.cfg.UntilRegistered(); text != "" {
		p.say.Print("Note: " + text)
	}
	_, _ = sdnotify.SdNotify(false, sdnotify.SdNotifyReady+"\nSTATUS=Woken by "+s.String()+mode)
}

// close publishes what is left. The loop has ended.
func (p *publisher) close() error {
	if p.run != nil {
		p.run.Close()
		p.standby.Close()
	}
	p.sockets.close()
	if p.server != nil {
		_ = p.server.Close()
	}
	if p.file != nil {
		return p.file.Close()
	}
	return nil
}

// observer feeds the metrics.
type observer struct {
	m       *metrics.Metrics
	served  bool                      // else the series of cgroups would be kept for nobody
	domains map[uint16]*record.Domain // those that came after the start
}

func (o observer) Record(e *record.Entry) {
	o.m.Dropped(e.Lost)
	if e.Of == nil {
		o.m.Observe(domainName(e.Domain), &e.In, &e.Out)
		return
	}
	if !o.served {
		return
	}
	if before := o.domains[e.Domain]; before != nil && before != e.Of {
		o.m.Forget(before.Name) // its end was overwritten before it was read
	}
	o.domains[e.Domain] = e.Of
	if e.Closed {
		delete(o.domains, e.Domain)
		o.m.Forget(e.Of.Name)
		return
	}
	o.m.Observe(e.Of.Name, &e.In, &e.Out)
}

// domainName names a domain for metrics and clients.
func domainName(id uint16) string {
	if id == daemon.WatchdogDomain {
		return "watchdog"
	}
	return metrics.Machine
}
