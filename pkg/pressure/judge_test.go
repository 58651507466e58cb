package pressure

import (
	"math/rand"
	"slices"
	"testing"
	"time"
)

// randomSample moves every number that a rule looks at around its limits.
func randomSample(r *rand.Rand, last *Sample) Sample {
	s := *last
	s.At += time.Duration(r.Intn(1500)) * time.Millisecond
	s.Has = HasAvailable | HasWatermarks | HasStall
	some := func(max int) uint64 { return uint64(r.Intn(max)) << 20 }
	s.Memory = Memory{
		Total: 1000 << 20, Free: some(40), Available: some(300), ActiveFile: some(100), InactiveFile: some(100),
		ActiveAnon: some(500), SwapTotal: some(2) * 500, CmaFree: some(3),
	}
	s.Memory.SwapFree = min(some(150), s.Memory.SwapTotal)
	s.Watermarks = Watermarks{Min: 10 << 20, Low: 20 << 20, High: 30 << 20}
	s.Counters.Refault += uint64(r.Intn(2) * r.Intn(40000))
	s.Counters.MajorFaults += uint64(r.Intn(2) * r.Intn(4000))
	s.Counters.PgscanDirect += uint64(r.Intn(2))
	s.Counters.PgscanKswapd += uint64(r.Intn(2))
	s.Counters.FileLRU = 20000
	s.Stall.SomeTotal += uint64(r.Intn(2))
	s.Stall.FullAvg10 = uint32(r.Intn(10001))
	return s
}

func randomPolicy(r *rand.Rand) Policy {
	p := Linux()
	if r.Intn(2) == 0 {
		p = Android()
	}
	p.Variant = Variant(r.Intn(2))
	p.Strategy = Strategy(max(0, r.Intn(5)-2))
	p.LowMinAdj, p.MediumMinAdj, p.CriticalMinAdj = 700+r.Intn(600), r.Intn(1100), r.Intn(200)
	p.CriticalUpgrade, p.UpgradePressure, p.DowngradePressure = r.Intn(2) == 0, r.Intn(101), r.Intn(101)
	p.Minfree = Targets{{10 << 20, 0}, {60 << 20, 900}}
	p.SwapUtilMax = r.Intn(101)
	p.FilecacheMin = uint64(r.Intn(200)) << 20
	p.DirectReclaimThreshold = time.Duration(r.Intn(100)) * time.Millisecond
	p.LowmemMinOOMScore = 901 + r.Intn(200)
	p.PressureAfterKillMinScore = r.Intn(1200)
	p.StallLimitCritical = r.Intn(101)
	return p
}

// TestClausesAreTheRules: what an explanation takes apart holds exactly when
// the rule does, for every rule, over random machines.
func TestClausesAreTheRules(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	reached := map[Reason]int{}
	for range 200 {
		p, st, s := randomPolicy(r), State{}, Sample{}
		for range 200 {
			s = randomSample(r, &s)
			in := Input{Sample: &s, Event: Level(r.Intn(4))}
			if r.Intn(4) == 0 {
				in.Reclaim = Reclaim{Known: true, Direct: true, DirectSince: s.At - time.Duration(r.Intn(100))*time.Millisecond}
			}
			v := Judge(&p, &st, &in)
			reached[v.Reason]++
			checkClauses(t, &p, &v)
			if v.Act && r.Intn(2) == 0 {
				st.Killed(&p, &v)
			}
		}
	}
	for _, reason := range Reasons() {
		if reached[reason] == 0 {
			t.Errorf("%v was never reached", reason)
		}
	}
}

func checkClauses(t *testing.T, p *Policy, v *Verdict) {
	t.Helper()
	for _, r := range p.tree() {
		all := true
		for _, c := range r.clauses(p, v) {
			all = all && c.ok
		}
		if all != r.holds(p, v) {
			t.Fatalf("%v holds: %v, its clauses: %v\n%+v\n%+v", r.reason, !all, all, p, v)
		}
	}
}

// TestVerdictInvariants: shortage and pressure together, and never beyond the
// range of oom_score_adj.
func TestVerdictInvariants(t *testing.T) {
	r := rand.New(rand.NewSource(2))
	for range 200 {
		p, st, s := randomPolicy(r), State{}, Sample{}
		for range 100 {
			s = randomSample(r, &s)
			v := Judge(&p, &st, &Input{Sample: &s, Event: Level(r.Intn(4))})
			switch {
			case v.Act != (v.Reason != None):
				t.Fatalf("act %v for reason %v", v.Act, v.Reason)
			case v.Act && (!v.Facts.Pressed || v.Facts.Plenty):
				t.Fatalf("acts without pressure, or on plenty: %+v", v)
			case v.MinAdj < 0 || v.MinAdj > 1000:
				t.Fatalf("min adj %d: %+v", v.MinAdj, v)
			case v.Act && v.Facts.Stalled && v.MinAdj != 0:
				t.Fatalf("stalled, and the bar is at %d", v.MinAdj)
			}
		}
	}
}

// TestLinuxReachesEveryAdj: the linux profile lets every reason reach 0.
func TestLinuxReachesEveryAdj(t *testing.T) {
	p := Linux()
	for i := range tree {
		if tree[i].reason == LowMem {
			continue // switched off
		}
		if adj := tree[i].minAdj(&p, &Facts{}); adj != 0 {
			t.Errorf("%v stops at %d", tree[i].reason, adj)
		}
	}
}

func TestJudgeDoesNotAllocate(t *testing.T) {
	for _, strategy := range []Strategy{ByReclaim, ByMinfree, ByLevel} {
		p, st := Linux(), State{}
		p.Strategy = strategy
		in := pressedInput()
		n := testing.AllocsPerRun(1000, func() {
			in.Sample.At += time.Millisecond
			in.Sample.Counters.Refault++
			v := Judge(&p, &st, in)
			st.Killed(&p, &v)
		})
		if n != 0 {
			t.Errorf("strategy %d: %v allocations a judgement", strategy, n)
		}
	}
}

// pressedInput makes the judge walk the whole tree and find nothing.
func pressedInput() *Input {
	return &Input{Event: LevelMedium, Sample: &Sample{
		Has:        HasAvailable | HasWatermarks | HasStall,
		Memory:     Memory{Total: 512 << 20, Free: 50 << 20, Available: 100 << 20, SwapTotal: 1 << 30, SwapFree: 1 << 30},
		Watermarks: Watermarks{Min: 4 << 20, Low: 5 << 20, High: 6 << 20},
		Counters:   Counters{FileLRU: 10000},
	}}
}

func BenchmarkJudge(b *testing.B) {
	p, st := Linux(), State{}
	in := pressedInput()
	b.ReportAllocs()
	for b.Loop() {
		in.Sample.At += 10 * time.Millisecond
		in.Sample.Counters.Refault++
		if v := Judge(&p, &st, in); v.Act {
			b.Fatalf("acts: %v", v.Reason)
		}
	}
}

// TestReasonsAreSorted: what is asked of a reason by name agrees with its rule.
func TestReasonsAreSorted(t *testing.T) {
	for _, tc := range []struct {
		of   func(Reason) bool
		want []Reason
	}{
		{Reason.Thrashing, []Reason{LowSwapAndThrashing, LowMemAndThrashing, DirectReclaimAndThrashing, LowFilecacheAfterThrashing}},
		{Reason.RestsOnMarks, []Reason{
			PressureAfterKill, NotResponding, LowMemAndSwap, LowMemAndSwapUtil, LowMemAndThrashing, LowFilecacheAfterThrashing, LowMem, LowMinfree,
		}},
		{Reason.Sheds, []Reason{LowMem, LowMinfree, PressureLevel}},
	} {
		var got []Reason
		for _, r := range Reasons() {
			if tc.of(r) {
				got = append(got, r)
			}
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("got %v, want %v", got, tc.want)
		}
	}
	for p, want := range map[Policy]int{{Strategy: ByReclaim}: len(tree), {Strategy: ByMinfree}: 1, {Strategy: ByLevel}: 1} {
		n := 0
		for _, r := range Reasons() {
			if p.LooksFor(r) {
				n++
			}
		}
		if n != want {
			t.Errorf("strategy %d looks for %d reasons, want %d", p.Strategy, n, want)
		}
	}
	if because := (&Verdict{Reason: None}).Because(&Policy{}); because != "" {
		t.Errorf("a verdict that does not act has a reason: %s", because)
	}
}

func TestNames(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range append(Reasons(), None) {
		if seen[r.String()] || r.String() == "" {
			t.Errorf("reason %d has no name of its own: %q", r, r)
		}
		seen[r.String()] = true
	}
	if got := Reason(1007).String(); got != "reason_1007" {
		t.Errorf("a reason that is not ours is called %q", got)
	}
}

func TestSize(t *testing.T) {
	for v, want := range map[uint64]string{
		0: "0B", 1023: "1023B", 1024: "1.0KiB", 99<<10 + 512: "99.5KiB", 100 << 10: "100KiB", 999 << 10: "999KiB",
		1 << 20: "1.0MiB", 464 << 20: "464MiB", 1000 << 20: "1.0GiB", 5 << 40: "5.0TiB", 1 << 63: "8388608TiB",
	} {
		if got := size(v); got != want {
			t.Errorf("size(%d) = %q, want %q", v, got, want)
		}
	}
}
