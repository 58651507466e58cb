package record

import (
	"bytes"
	"fmt"
	"math/rand"
	"strings"
	"testing"
	"time"

	"github.com/lmkd/lmkd/internal/engine"
	"github.com/lmkd/lmkd/pkg/pressure"
	"github.com/lmkd/lmkd/pkg/victim"
)

// randomInput answers what the engine asked for last, or lets something happen.
func randomInput(r *rand.Rand, now time.Duration, asked []engine.Action) engine.Input {
	in := engine.Input{At: now}
	for i := range asked {
		switch asked[i].Do {
		case engine.Sample:
			in.Kind, in.Sample = engine.Sampled, randomSample(r, now)
			in.Reclaim = pressure.Reclaim{Known: r.Intn(2) == 0, Kswapd: r.Intn(2) == 0, Direct: r.Intn(2) == 0, DirectSince: now - 5}
			return in
		case engine.List:
			in.Kind, in.Candidates = engine.Listed, randomTable(r)
			return in
		case engine.Kill:
			in.Kind, in.Errno = engine.Signalled, int32(r.Intn(4)/3)
			return in
		}
	}
	in.Kind = []engine.Kind{engine.Woken, engine.Elapsed, engine.Elapsed, engine.Reaped, engine.Exited, engine.Relieved}[r.Intn(6)]
	in.Act = uint8(r.Intn(3))
	if in.Kind == engine.Woken {
		in.Source, in.Event = engine.Source(1+r.Intn(15)), pressure.Level(r.Intn(4))
	}
	return in
}

func randomSample(r *rand.Rand, now time.Duration) *pressure.Sample {
	s := &pressure.Sample{At: now, Has: pressure.Has(r.Uint32() & 127)}
	s.Memory = pressure.Memory{Total: 464 << 20, Free: uint64(r.Intn(20 << 20)), Available: uint64(r.Intn(150 << 20))}
	s.Memory.SwapTotal = uint64(r.Intn(2)) << 62 // beyond what a float64 tells apart
	s.Memory.SwapFree = s.Memory.SwapTotal - min(s.Memory.SwapTotal, 1)
	s.Counters.Refault, s.Counters.FileLRU = r.Uint64(), uint64(r.Intn(10000))
	s.Stall.SomeTotal, s.Stall.FullTotal = r.Uint64(), r.Uint64()
	s.Watermarks = pressure.Watermarks{At: now, Min: 2 << 20, Low: 4 << 20, High: 6 << 20}
	return s
}

func randomTable(r *rand.Rand) []victim.Process {
	table := make([]victim.Process, r.Intn(5))
	for i := range table {
		p := &table[i]
		*p = victim.Process{PID: int32(r.Intn(50)), Adj: int16(r.Intn(2001) - 1000), StartTime: 1 + r.Uint64()%3, Flag: victim.Detailed}
		p.RssAnon = r.Uint64() >> 8
		name := make([]byte, r.Intn(victim.CommSize+1))
		r.Read(name)
		p.SetName(name)
		p.Cmdline = append([]byte(nil), name...)
	}
	return table
}

// TestReplayAnything: whatever the engine lived through, two domains at once,
// its trace replays to the same decisions.
func TestReplayAnything(t *testing.T) {
	for seed := range int64(15) {
		r := rand.New(rand.NewSource(seed))
		policies := []engine.Policy{engine.Linux(), engine.Android()}
		policies[0].Untriggered = seed%2 == 0
		policies[0].Relief = []engine.Relief{{At: 1, Act: engine.Notify, Pause: 1e9}, {At: 2, Act: engine.Reclaim, Cgroups: []string{"/a\nb"}, For: 1e8}, {At: 3, Act: engine.Freeze, For: 1e9}}
		policies[0].Victim.Never = []string{"sshd", "naïve \\x"}
		states := []*engine.State{engine.NewState(8), engine.NewState(8)}
		ring := NewRing(Size{Entries: 2000, Tables: 600, Outcomes: 600, Candidates: 8})
		var last [2][]engine.Action
		for n := range 1000 {
			d := r.Intn(2)
			in := randomInput(r, time.Hour+time.Duration(n)*time.Millisecond*time.Duration(r.Intn(2)+1)*20, last[d])
			out := engine.Step(&policies[d], states[d], &in)
			last[d] = append([]engine.Action(nil), out.Actions...)
			ring.Append(uint16(d), &in, out)
		}
		header := &Header{Domains: []Domain{{0, "machine", policies[0]}, {1, "a\nb.slice", policies[1]}}}
		var file bytes.Buffer
		ring.Notify()
		Publish(ring, NewTraceWriter(&file, header, func(err error) { t.Fatal(err) }), NewLog(LogOptions{Domains: header.Domains, Debug: true}, func(line string) {
			if strings.Contains(line, "\n") {
				t.Fatalf("a line is not one: %q", line)
			}
		})).Close()
		if steps, cut, err := replayAll(file.Bytes()); steps != 1000 || cut || err != nil {
			t.Fatalf("seed %d: %d steps, cut %v, error %v", seed, steps, cut, err)
		}
	}
}

// TestLogTellsWhatIsMissing: entries, tables and outcomes that were overwritten
// are said to be, and nothing is told of a victim that is not known.
func TestLogTellsWhatIsMissing(t *testing.T) {
	var got []string
	log := NewLog(LogOptions{Domains: []Domain{{ID: 3, Name: "user.slice"}}}, func(line string) { got = append(got, line) })
	for _, e := range []Entry{
		{Domain: 9, Lost: 5},
		{Domain: 3, Lost: 5},
		{Domain: 3, Cut: CutTable, In: engine.Input{Kind: engine.Listed}, Out: engine.Output{Actions: []engine.Action{{Do: engine.Kill, Index: 2}}}},
		{Domain: 3, In: engine.Input{Kind: engine.Signalled}},
		{Domain: 3, Cut: CutOutcome, Out: engine.Output{Note: engine.KillDone}},
	} {
		log.Record(&e)
	}
	want := []string{
		"'user.slice': 5 steps were overwritten before they could be told",
		"'user.slice': A victim was signalled; who it is was overwritten before it could be told",
		"'user.slice': A kill ended (kill_done); its outcome was overwritten before it could be told",
	}
	if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		t.Errorf("told %q\nwant %q", got, want)
	}
}

func TestWords(t *testing.T) {
	for v, want := range map[uint64]string{5: "5B", 1536: "1.5KiB", 20 << 20: "20.0MiB", 1000 << 20: "1.0GiB"} {
		if got := size(v); got != want {
			t.Errorf("size(%d) = %q, want %q", v, got, want)
		}
	}
	for d, want := range map[time.Duration]string{41300 * time.Nanosecond: "41µs", 8123 * time.Microsecond: "8.1ms", 2*time.Second + 300*time.Microsecond: "2s"} {
		if got := short(d); got != want {
			t.Errorf("short(%d) = %q, want %q", d, got, want)
		}
	}
}
