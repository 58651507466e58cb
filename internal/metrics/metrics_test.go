package metrics

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"github.com/lmkd/lmkd/internal/engine"
	"github.com/lmkd/lmkd/pkg/pressure"
	"github.com/lmkd/lmkd/pkg/victim"
)

// noon is the time of day at CLOCK_MONOTONIC 0.
var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func fixedClock() (time.Time, time.Duration) { return noon.Add(time.Hour), time.Hour }

func newTest() *Metrics {
	return newMetrics(Info{Version: "v1", Profile: "linux", Config: "built-in", DryRun: true}, fixedClock)
}

// episode is one domain's engine with the metrics behind it, as the daemon has
// them.
type episode struct {
	t      *testing.T
	m      *Metrics
	name   string
	policy engine.Policy
	state  *engine.State
	now    time.Duration
	last   *engine.Output
}

func newEpisode(t *testing.T, m *Metrics, name string) *episode {
	return &episode{t: t, m: m, name: name, policy: engine.Linux(), state: engine.NewState(8)}
}

// step hands in what happened ms milliseconds later.
func (e *episode) step(ms int, in engine.Input) {
	e.now += time.Duration(ms) * time.Millisecond
	in.At = e.now
	e.last = engine.Step(&e.policy, e.state, &in)
	e.m.Observe(e.name, &in, e.last)
}

// asked fails when the engine did not ask for what the next input answers.
func (e *episode) asked(do engine.Do) {
	e.t.Helper()
	for _, a := range e.last.Actions {
		if a.Do == do {
			return
		}
	}
	e.t.Fatalf("the engine asked for %v, not for %v", e.last.Actions, do)
}

const mib = 1 << 20

// sample has available MiB left of 512, and everything that a kernel can tell.
func (e *episode) sample(available uint64) *pressure.Sample {
	stall := pressure.Stall{SomeAvg10: 1234, FullAvg10: 567, SomeTotal: 2_500_000, FullTotal: 1_500_000}
	return &pressure.Sample{
		At:  e.now,
		Has: pressure.HasAvailable | pressure.HasWatermarks | pressure.HasStall | pressure.HasStallIO | pressure.HasStallCPU | pressure.HasRefault | pressure.HasZram,
		Memory: pressure.Memory{
			Total: 512 * mib, Free: available * mib, Available: available * mib,
			ActiveFile: mib, InactiveFile: mib, SwapTotal: 100 * mib, SwapFree: mib,
		},
		Counters:   pressure.Counters{Refault: 1000 * uint64(e.now.Milliseconds()+1), MajorFaults: 100 * uint64(e.now.Milliseconds()+1), FileLRU: 512, OOMKill: uint64(e.now / time.Second)},
		Watermarks: pressure.Watermarks{Min: 4 * mib, Low: 5 * mib, High: 6 * mib},
		Zram:       pressure.Zram{Original: 90 * mib, Compressed: 30 * mib, MemUsed: 31 * mib},
		Stall:      stall, StallIO: stall, StallCPU: stall,
	}
}

// wake brings the engine to a choice.
func (e *episode) wake() {
	e.step(1000, engine.Input{Kind: engine.Woken, Source: engine.FromPSI | engine.FromKswapd | engine.FromDirect | engine.FromOOM, Event: pressure.LevelCritical})
	e.asked(engine.Sample)
	e.step(1, engine.Input{Kind: engine.Sampled, Sample: e.sample(2)})
	e.asked(engine.List)
}

func (e *episode) list(pids ...int32) { e.listed(victim.Detailed, pids...) }

func (e *episode) listed(flag victim.Flag, pids ...int32) {
	var table []victim.Process
	for _, pid := range pids {
		p := victim.Process{PID: pid, Flag: flag, StartTime: 1, RSS: 50 * mib, RssAnon: 50 * mib}
		p.SetName([]byte("hog"))
		table = append(table, p)
	}
	e.step(1, engine.Input{Kind: engine.Listed, Candidates: table, Listing: engine.Listing{Seen: 42, Took: 300 * time.Microsecond}})
}

// kill brings the engine from a wake to a sent signal.
func (e *episode) kill(pid int32) {
	e.wake()
	e.list(pid)
	e.asked(engine.Kill)
	e.step(1, engine.Input{Kind: engine.Signalled, Took: 20 * time.Microsecond})
}

// everything sets every metric there is.
func everything(t *testing.T, m *Metrics, name string) *episode {
	e := newEpisode(t, m, name)
	e.step(1, engine.Input{Kind: engine.Started})
	e.step(1, engine.Input{Kind: engine.Sampled, Sample: e.sample(400)})
	e.kill(100)
	e.step(3, engine.Input{Kind: engine.Reaped, Took: time.Millisecond})
	e.step(4, engine.Input{Kind: engine.Exited})
	e.asked(engine.Sample)
	e.step(1, engine.Input{Kind: engine.Sampled, Sample: e.sample(60)})
	e.wake()
	e.list()
	e.wake()
	e.listed(victim.Detailed|victim.Dying, 200)
	m.Dropped(3)
	m.SetSource(PSI, true)
	m.SetFeature("pidfd_open", true)
	e.step(1000, engine.Input{Kind: engine.Elapsed})
	e.step(1, engine.Input{Kind: engine.Sampled, Sample: e.sample(400)})
	return e
}

// Every metric that is registered has a value other than 0 after an episode
// that has everything: none of them is for show.
func TestEveryMetricIsSet(t *testing.T) {
	m := newTest()
	e := everything(t, m, Machine)
	e.kill(101) // in flight
	e.now += 10 * time.Second
	set := map[string]bool{}
	for _, f := range gather(t, m) {
		for _, s := range f.Metric {
			if value(s) != 0 {
				set[f.GetName()] = true
			}
		}
	}
	blind(e)
	for _, f := range gather(t, m) {
		if f.GetName() == "lmkd_blind" && value(f.Metric[0]) == 1 {
			set["lmkd_blind"] = true
		}
	}
	for _, name := range registered(m) {
		if !set[name] {
			t.Errorf("%s is registered and nothing sets it", name)
		}
	}
}

// blind lets the victim go and the next look fail.
func blind(e *episode) {
	e.step(1, engine.Input{Kind: engine.Exited})
	e.asked(engine.Sample)
	e.step(1, engine.Input{Kind: engine.Sampled, Errno: 5})
}

// registered gives the names of all metrics of this package, also of those
// that have no series yet.
func registered(m *Metrics) []string {
	var out []string
	for _, c := range m.own {
		ch := make(chan *prometheus.Desc, 1)
		c.Describe(ch)
		_, rest, _ := strings.Cut((<-ch).String(), `fqName: "`)
		name, _, _ := strings.Cut(rest, `"`)
		out = append(out, name)
	}
	return out
}

func gather(t *testing.T, m *Metrics) []*dto.MetricFamily {
	t.Helper()
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	return families
}

func value(m *dto.Metric) float64 {
	switch {
	case m.Counter != nil:
		return m.Counter.GetValue()
	case m.Gauge != nil:
		return m.Gauge.GetValue()
	case m.Histogram != nil:
		return m.Histogram.GetSampleSum()
	}
	return 0
}

// text gives the exposition without the process's own metrics.
func text(t *testing.T, m *Metrics) string {
	t.Helper()
	var b bytes.Buffer
	for _, f := range gather(t, m) {
		if !strings.HasPrefix(f.GetName(), "process_") {
			if _, err := expfmt.MetricFamilyToText(&b, f); err != nil {
				t.Fatal(err)
			}
		}
	}
	return b.String()
}

// has fails for every line that the exposition lacks.
func has(t *testing.T, m *Metrics, lines ...string) {
	t.Helper()
	all := text(t, m)
	for _, line := range lines {
		if !strings.Contains(all, "\n"+line+"\n") {
			name, _, _ := strings.Cut(line, "{")
			t.Errorf("no line %s; there is\n%s", line, grep(all, name))
		}
	}
}

func grep(s, what string) string {
	var out []string
	for line := range strings.Lines(s) {
		if strings.HasPrefix(line, what) {
			out = append(out, line)
		}
	}
	return strings.Join(out, "")
}

// What promtool checks, by the code that promtool is made of.
func TestPromlint(t *testing.T) {
	m := newTest()
	everything(t, m, Machine)
	problems, err := promlint.New(strings.NewReader(text(t, m))).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestEpisode(t *testing.T) {
	m := newTest()
	everything(t, m, Machine)
	has(t, m,
		`lmkd_kills_total{domain="machine",outcome="exited",reason="low_available"} 1`,
		`lmkd_kills_total{domain="machine",outcome="failed",reason="low_available"} 0`,
		`lmkd_nobody_total{domain="machine",reason="low_available"} 1`,
		`lmkd_waited_total{domain="machine",for="freeing",reason="low_available"} 1`,
		`lmkd_judgements_total{domain="machine",reason="low_available"} 3`,
		`lmkd_judgements_total{domain="machine",reason="none"} 3`,
		`lmkd_wakes_total{domain="machine",source="psi"} 3`,
		`lmkd_wakes_total{domain="machine",source="kswapd"} 3`,
		`lmkd_wakes_total{domain="machine",source="direct_reclaim"} 3`,
		`lmkd_wakes_total{domain="machine",source="kernel_oom"} 3`,
		`lmkd_wakes_total{domain="machine",source="timer"} 1`,
		`lmkd_kernel_oom_kills_total{domain="machine"} 4`,
		fmt.Sprintf(`lmkd_freed_bytes_total{domain="machine"} %v`, float64(58*mib)),
		`lmkd_wake_to_signal_seconds_sum{domain="machine"} 0.003`,
		`lmkd_verdict_to_signal_seconds_sum{domain="machine"} 0.002`,
		`lmkd_signal_to_memory_seconds_sum{domain="machine"} 0.003`,
		`lmkd_signal_to_exit_seconds_sum{domain="machine"} 0.007`,
		`lmkd_scan_duration_seconds_count{domain="machine"} 3`,
		`lmkd_processes{domain="machine"} 42`,
		`lmkd_last_kill_timestamp_seconds{domain="machine"} 1.767268801005e+09`,
		`lmkd_pressure_avg10_ratio{domain="machine",resource="memory",stall="some"} 0.1234`,
		`lmkd_pressure_stalled_seconds_total{domain="machine",resource="io",stall="full"} 1.5`,
		`lmkd_watermark_bytes{domain="machine",mark="low"} 5.24288e+06`,
		`lmkd_victim_in_flight{domain="machine"} 0`,
		`lmkd_record_dropped_total 3`,
		`lmkd_dry_run 1`,
		`lmkd_source_active{source="memevent"} 0`,
		`lmkd_source_active{source="psi"} 1`,
		`lmkd_config_info{profile="linux",source="built-in"} 1`,
	)
}

// A kill that fails and one that takes too long are counted as what they are.
func TestBadKills(t *testing.T) {
	m := newTest()
	e := newEpisode(t, m, Machine)
	e.step(1, engine.Input{Kind: engine.Started})
	e.step(1, engine.Input{Kind: engine.Sampled, Sample: e.sample(400)})
	e.wake()
	e.list(7)
	e.asked(engine.Kill)
	e.step(1, engine.Input{Kind: engine.Signalled, Errno: 3})
	has(t, m,
		`lmkd_kills_total{domain="machine",outcome="failed",reason="low_available"} 1`,
		`lmkd_victim_in_flight{domain="machine"} 0`,
		`lmkd_verdict_to_signal_seconds_count{domain="machine"} 0`,
	)
	e.step(1000, engine.Input{Kind: engine.Elapsed})
	e.step(1, engine.Input{Kind: engine.Sampled, Sample: e.sample(2)})
	e.list(8)
	e.step(1, engine.Input{Kind: engine.Signalled})
	has(t, m, `lmkd_victim_in_flight{domain="machine"} 1`)
	e.step(3000, engine.Input{Kind: engine.Elapsed})
	e.asked(engine.Abandon)
	has(t, m,
		`lmkd_kills_total{domain="machine",outcome="timed_out",reason="low_available"} 1`,
		`lmkd_victim_in_flight{domain="machine"} 0`,
		`lmkd_signal_to_exit_seconds_count{domain="machine"} 0`,
		`lmkd_verdict_to_signal_seconds_count{domain="machine"} 1`,
	)
}

// What the kernel does not tell has no series, and loses it when it no longer
// tells.
func TestAbsentIsNotZero(t *testing.T) {
	m := newTest()
	e := newEpisode(t, m, Machine)
	e.step(1, engine.Input{Kind: engine.Started})
	e.step(1, engine.Input{Kind: engine.Sampled, Sample: e.sample(400)})
	if !strings.Contains(text(t, m), "lmkd_pressure_avg10_ratio{") {
		t.Fatal("no pressure while the kernel tells it")
	}
	bare := e.sample(400)
	bare.Has = 0
	e.step(1000, engine.Input{Kind: engine.Woken, Source: engine.FromKswapd})
	e.step(1, engine.Input{Kind: engine.Sampled, Sample: bare})
	all := text(t, m)
	for _, name := range []string{"lmkd_pressure_avg10_ratio{", "lmkd_watermark_bytes{", "lmkd_zram_memory_bytes{", "lmkd_memory_available_bytes{", "lmkd_thrashing_ratio{"} {
		if strings.Contains(all, name) {
			t.Errorf("%s: still there\n%s", name, grep(all, name))
		}
	}
}

func TestForget(t *testing.T) {
	m := newTest()
	before := text(t, m)
	everything(t, m, "/system.slice/a.service")
	m.Forget("/system.slice/a.service")
	if after := text(t, m); strings.Contains(after, "a.service") || len(after) < len(before) {
		t.Errorf("after Forget:\n%s", grep(after, "lmkd_kills"))
	}
}

// The series of the machine are there before anything happened, or a rate
// would miss the first kill.
func TestSeriesBeforeTheFirstKill(t *testing.T) {
	all := text(t, newTest())
	for _, r := range pressure.Reasons() {
		for _, outcome := range []string{"exited", "timed_out", "failed"} {
			line := fmt.Sprintf("lmkd_kills_total{domain=%q,outcome=%q,reason=%q} 0\n", Machine, outcome, r)
			if !strings.Contains(all, line) {
				t.Errorf("no %s", line)
			}
		}
	}
}

func TestObserveAllocatesNothing(t *testing.T) {
	m := newTest()
	e := everything(t, m, Machine)
	in := engine.Input{Kind: engine.Sampled, Sample: e.sample(100)}
	verdict := pressure.Verdict{Reason: pressure.LowAvailable}
	out := engine.Output{Verdict: &verdict}
	if n := testing.AllocsPerRun(100, func() { m.Observe(Machine, &in, &out) }); n != 0 {
		t.Errorf("%v allocations a sample", n)
	}
}

func BenchmarkObserve(b *testing.B) {
	m := newTest()
	e := episode{now: time.Second}
	in := engine.Input{Kind: engine.Sampled, Sample: e.sample(100)}
	verdict := pressure.Verdict{Reason: pressure.None}
	out := engine.Output{Verdict: &verdict}
	b.ReportAllocs()
	for b.Loop() {
		m.Observe(Machine, &in, &out)
	}
}

func BenchmarkScrape(b *testing.B) {
	m := newTest()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.registry.Gather(); err != nil {
			b.Fatal(err)
		}
	}
}
