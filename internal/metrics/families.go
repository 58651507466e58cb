package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/lmkd/lmkd/pkg/pressure"
)

// families are the metrics that have a series for each domain.
type families struct {
	kills, judgements, nobody       *prometheus.CounterVec
	waited                          *prometheus.CounterVec
	wakes, oomKills, freed, stalled *prometheus.CounterVec

	wakeToSignal, verdictToSignal, signalToMemory, signalToExit, scan *prometheus.HistogramVec

	level, blind, inFlight, lastKill, lastJudged, processes    *prometheus.GaugeVec
	size, free, available, fileCache                           *prometheus.GaugeVec
	swapSize, swapFree, swapFillable, zramOriginal, zramMemory *prometheus.GaugeVec
	watermark, average, thrashing, thrashingLimit              *prometheus.GaugeVec
}

// The buckets in seconds: the daemon's own steps take tens of microseconds, a
// victim's end milliseconds to seconds.
var (
	quick = []float64{25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3, 500e-3}
	slow  = []float64{100e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3, 250e-3, 500e-3, 1, 2.5, 10}
)

func (m *Metrics) newFamilies() *families {
	f := &families{}
	m.addCounts(f)
	m.addTimes(f)
	m.addStates(f)
	m.addMemory(f)
	return f
}

func (m *Metrics) addCounts(f *families) {
	f.kills = m.counters("lmkd_kills_total", "Victims by the reason of their death and how it went: exited, timed_out (it outlived the limit), stuck (its memory is back, and it hangs in the kernel) or failed (no signal could be sent).", "domain", "reason", "outcome")
	f.judgements = m.counters("lmkd_judgements_total", "Looks at memory by the reason to act that they gave, none for the others.", "domain", "reason")
	f.nobody = m.counters("lmkd_nobody_total", "Judgements that wanted a kill while no process qualified.", "domain", "reason")
	f.waited = m.counters("lmkd_waited_total", "Judgements that wanted a kill and waited for memory that comes back by itself: freeing, of somebody who is dying, or cooling, of the last victim.", "domain", "reason", "for")
	f.wakes = m.counters("lmkd_wakes_total", "What made the daemon run: the kernel's events, or its own timer while it watches.", "domain", "source")
	f.oomKills = m.counters("lmkd_kernel_oom_kills_total", "Kills by the kernel's own OOM killer while the daemon ran: it was quicker.", "domain")
	f.freed = m.counters("lmkd_freed_bytes_total", "Memory that was available after kills and not before.", "domain")
	f.stalled = m.counters("lmkd_pressure_stalled_seconds_total", "Time lost to pressure since boot, as the kernel counts it (PSI).", "domain", "resource", "stall")
}

func (m *Metrics) addTimes(f *families) {
	f.wakeToSignal = m.histograms("lmkd_wake_to_signal_seconds", "From the kernel's first event of an episode to the victim's signal, looks between them included.", slow, "domain")
	f.verdictToSignal = m.histograms("lmkd_verdict_to_signal_seconds", "From the judgement to the victim's signal: the scan, the choice and the system calls.", quick, "domain")
	f.signalToMemory = m.histograms("lmkd_signal_to_memory_seconds", "From the victim's signal to its memory being free again.", slow, "domain")
	f.signalToExit = m.histograms("lmkd_signal_to_exit_seconds", "From the victim's signal to its end.", slow, "domain")
	f.scan = m.histograms("lmkd_scan_duration_seconds", "How long it took to read the processes for a choice.", quick, "domain")
}

func (m *Metrics) addStates(f *families) {
	f.level = m.gauges("lmkd_pressure_level", "The level of pressure: 0 none, 1 low, 2 medium, 3 critical.", "domain")
	f.blind = m.gauges("lmkd_blind", "Whether memory could not be read at the last look.", "domain")
	f.inFlight = m.gauges("lmkd_victim_in_flight", "Victims that were signalled and are not gone.", "domain")
	f.lastKill = m.gauges("lmkd_last_kill_timestamp_seconds", "When the last victim was signalled.", "domain")
	f.lastJudged = m.gauges("lmkd_last_judgement_timestamp_seconds", "When memory was last looked at: the other values are from then.", "domain")
	f.processes = m.gauges("lmkd_processes", "Processes seen by the last scan.", "domain")
	f.average = m.gauges("lmkd_pressure_avg10_ratio", "Share of the last 10 seconds lost to pressure (PSI), at the last look.", "domain", "resource", "stall")
	f.thrashing = m.gauges("lmkd_thrashing_ratio", "Share of the file cache that was read anew within the window.", "domain")
	f.thrashingLimit = m.gauges("lmkd_thrashing_limit_ratio", "Thrashing beyond which the daemon acts; kills lower it for a while.", "domain")
}

func (m *Metrics) addMemory(f *families) {
	f.size = m.gauges("lmkd_memory_size_bytes", "All memory.", "domain")
	f.free = m.gauges("lmkd_memory_free_bytes", "Memory that nobody uses, without what is kept for contiguous allocations.", "domain")
	f.available = m.gauges("lmkd_memory_available_bytes", "Memory that can be had without swapping.", "domain")
	f.fileCache = m.gauges("lmkd_file_cache_bytes", "File pages in memory.", "domain")
	f.swapSize = m.gauges("lmkd_swap_size_bytes", "All swap.", "domain")
	f.swapFree = m.gauges("lmkd_swap_free_bytes", "Free swap as the kernel counts it.", "domain")
	f.swapFillable = m.gauges("lmkd_swap_fillable_bytes", "Free swap that can really be filled, with swap in memory needing memory.", "domain")
	f.zramOriginal = m.gauges("lmkd_zram_stored_bytes", "What is swapped out into compressed memory.", "domain")
	f.zramMemory = m.gauges("lmkd_zram_memory_bytes", "Memory that it takes there.", "domain")
	f.watermark = m.gauges("lmkd_watermark_bytes", "The kernel's watermarks of free memory, with reserves.", "domain", "mark")
}

// domain makes the series of one domain.
func (f *families) domain(name string) *domain {
	d := &domain{
		f: f, name: name, reasons: map[pressure.Reason]*byReason{},
		timer:    f.wakes.WithLabelValues(name, "timer"),
		oomKills: f.oomKills.WithLabelValues(name), freed: f.freed.WithLabelValues(name),
		wakeToSignal: f.wakeToSignal.WithLabelValues(name), verdictToSignal: f.verdictToSignal.WithLabelValues(name),
		signalToMemory: f.signalToMemory.WithLabelValues(name), signalToExit: f.signalToExit.WithLabelValues(name),
		scan:  f.scan.WithLabelValues(name),
		level: f.level.WithLabelValues(name), blind: f.blind.WithLabelValues(name), inFlight: f.inFlight.WithLabelValues(name),
		lastKill: reading{vec: f.lastKill, labels: []string{name}}, lastJudged: reading{vec: f.lastJudged, labels: []string{name}},
		processes: reading{vec: f.processes, labels: []string{name}},
		verdict:   pressure.None,
	}
	for i := range wakeSources {
		d.wakes[i] = f.wakes.WithLabelValues(name, wakeSources[i].name)
	}
	if name == Machine { // of hundreds of cgroups most never have a reason
		for _, r := range append(pressure.Reasons(), pressure.None) {
			d.reason(r)
		}
	}
	d.memory = newReadings(f, name)
	return d
}
