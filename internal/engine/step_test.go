package engine

import (
	"math/rand"
	"testing"
	"time"

	"github.com/lmkd/lmkd/pkg/pressure"
	"github.com/lmkd/lmkd/pkg/victim"
)

// world plays a hostile kernel: it answers what it must, and between that it
// wakes, stalls, kills late, twice or never, as the dice say.
type world struct {
	t      *testing.T
	r      *rand.Rand
	policy Policy
	state  *State
	now    time.Duration
	sample pressure.Sample

	owed     *Action // the action that waits for its answer
	target   int32   // the pid of the Kill that waits for its answer
	table    []victim.Process
	deadline time.Duration // of the last Wait
	resting  bool

	acts     uint8 // softer acts that run
	softened int   // how many ran

	dying     bool
	signalled time.Duration
	kills     int
	shun      map[victim.Identity]bool

	reclaimed bool // process_mrelease took all memory of the victim, and it died alone
	ended     bool // the last look showed that no thread of the victim is left
	looks     [2]Hold
	stuck     int                               // victims given up because they were stuck
	freeing   int                               // listings that were held for the dying
	leaving   map[victim.Identity]time.Duration // the dying, since the first listing that showed them
}

func newWorld(t *testing.T, seed int64) *world {
	w := &world{t: t, r: rand.New(rand.NewSource(seed)), state: NewState(8), now: time.Hour, shun: map[victim.Identity]bool{}, leaving: map[victim.Identity]time.Duration{}}
	w.policy = []Policy{Linux(), Android(), Embedded()}[w.r.Intn(3)]
	w.policy.Untriggered = w.r.Intn(3) == 0
	w.policy.Sampling = w.policy.Untriggered && w.r.Intn(2) == 0
	if w.r.Intn(4) == 0 {
		w.policy.KillTimeout = 0
	}
	for range w.r.Intn(4) {
		w.policy.Relief = append(w.policy.Relief, Relief{
			At: pressure.Level(1 + w.r.Intn(3)), Act: Act(w.r.Intn(3)),
			For: time.Duration(w.r.Intn(5000)) * time.Millisecond, Pause: time.Duration(w.r.Intn(5000)) * time.Millisecond,
		})
	}
	w.sample.Has = pressure.HasAvailable | pressure.HasWatermarks | pressure.HasStall
	w.sample.Watermarks = pressure.Watermarks{Min: 2 << 20, Low: 4 << 20, High: 6 << 20}
	return w
}

// step hands in one input and checks what comes out against the invariants.
func (w *world) step(in Input) {
	in.At = w.now
	out := Step(&w.policy, w.state, &in)
	w.owed = nil
	answers := 0
	for i := range out.Actions {
		a := &out.Actions[i]
		switch a.Do {
		case Sample, List, Kill:
			answers++
			owed := *a
			w.owed = &owed
			w.resting = false
		case Wait:
			w.deadline, w.resting = a.Until, false
		case Rest:
			w.deadline, w.resting = a.Again, true
		case Abandon:
			w.abandoned(out)
		case Relieve:
			w.relieve(a.Acts)
		case Relent:
			if a.Acts&^w.acts != 0 {
				w.t.Fatalf("acts %b are ended, %b run", a.Acts, w.acts)
			}
		}
	}
	if answers > 1 {
		w.t.Fatalf("%d answers are owed at once: %+v", answers, out.Actions)
	}
	if w.owed != nil && w.owed.Do == Kill {
		w.killAsked(out)
		w.nobodyFreeing()
	}
	if out.Note == Freeing {
		w.freeing++
	}
	w.neverDeaf()
}

// relieve: no act begins twice, and none below its level.
func (w *world) relieve(acts uint8) {
	for i := range w.policy.Relief {
		r, bit := &w.policy.Relief[i], uint8(1)<<i
		if acts&bit == 0 {
			continue
		}
		if w.acts&bit != 0 || w.state.levels.now < r.At {
			w.t.Fatalf("act %d begins at level %v; %b run", i, w.state.levels.now, w.acts)
		}
		if r.Act != Notify {
			w.acts |= bit
			w.softened++
		}
	}
}

// abandoned: only after the deadline is a victim given up, or when it is stuck and
// its memory is back.
func (w *world) abandoned(out *Output) {
	late := w.policy.KillTimeout > 0 && w.now >= w.signalled+w.policy.KillTimeout
	stuck := (w.reclaimed || w.ended) && w.looks[0]&w.looks[1]&Lasting != 0
	if !w.dying || !late && !stuck || late != (out.Note == KillTimeout) && stuck != (out.Note == KillStuck) {
		w.t.Fatalf("given up at %v (%v), dying %v since %v, reclaimed %v, looks %v", w.now, out.Note, w.dying, w.signalled, w.reclaimed, w.looks)
	}
	if out.Note == KillStuck {
		w.stuck++
	}
	w.dying = false
}

// nobodyFreeing: nobody is killed while the dying give back enough, each of them
// counted for a victim's time since it was first seen.
func (w *world) nobodyFreeing() {
	f := &w.state.verdict.Facts
	if !w.policy.CountDying || f.Available >= f.Floor {
		return
	}
	soon := uint64(0)
	for i := range w.table {
		p := &w.table[i]
		since, ok := w.leaving[p.Identity()]
		if ok && p.Is(victim.Dying) && w.now-since < w.policy.dyingPatience() && !w.shun[p.Identity()] {
			soon += p.RssAnon
		}
	}
	if soon > 0 && f.Available+soon >= f.Floor {
		w.t.Fatalf("a kill at %v, though %d bytes come back of themselves", w.now, soon)
	}
}

// killAsked: never a second Kill before Exited or the deadline, never of one
// that may not be chosen.
func (w *world) killAsked(out *Output) {
	if w.dying {
		w.t.Fatalf("a second kill at %v while a victim dies since %v", w.now, w.signalled)
	}
	p := &w.table[w.owed.Index]
	q := victim.Query{MinAdj: w.state.verdict.MinAdj, Shun: w.state.shun}
	if why := w.policy.Victim.Excluded(&q, p); why != victim.Eligible {
		w.t.Fatalf("kill of pid %d: %v", p.PID, why)
	}
	if out.Ranking == nil || !w.state.verdict.Act {
		w.t.Fatal("a kill without ranking or reason")
	}
	w.target = p.PID
	w.kills++
}

// neverDeaf: something will come in, whatever the kernel does: an answer, a
// deadline, a death, or the kernel's word when it was said that it may rest.
func (w *world) neverDeaf() {
	switch {
	case w.owed != nil, w.deadline > 0:
	case w.resting && !w.policy.Sampling:
	case w.dying && w.policy.KillTimeout == 0:
	default:
		w.t.Fatalf("deaf at %v: dying %v, resting %v", w.now, w.dying, w.resting)
	}
}

// advance lets time pass and something happen.
func (w *world) advance() {
	w.now += time.Duration(w.r.Intn(50)) * time.Millisecond
	if w.owed != nil {
		w.answer(w.owed)
		return
	}
	switch w.r.Intn(10) {
	case 9: // the end of an act, at times of one that does not run
		i := uint8(w.r.Intn(MaxRelief + 1))
		w.acts &^= 1 << i
		w.step(Input{Kind: Relieved, Act: i, Errno: int32(w.r.Intn(2))})
	case 0, 1:
		w.step(Input{Kind: Woken, Source: Source(1 + w.r.Intn(15)), Event: pressure.Level(w.r.Intn(4))})
	case 2:
		in := Input{Kind: Reaped, Errno: int32(w.r.Intn(2) * 11), Holds: Shared * Hold(w.r.Intn(2))}
		w.reclaimed = w.dying && in.Errno == 0 && w.state.flight.Members == 0
		w.step(in)
	case 8:
		in := Input{Kind: Examined, Holds: []Hold{0, Uninterruptible, Traced, Traced | Stopped, Stopped, FrozenV1}[w.r.Intn(6)]}
		in.Ended = w.r.Intn(6) == 0
		w.ended = w.dying && in.Ended && w.state.flight.Members == 0 && w.state.flight.Holds&Shared == 0
		if w.dying {
			w.looks[0], w.looks[1] = w.looks[1], in.Holds
		}
		w.step(in)
	case 3, 4:
		if w.dying { // the loop hands in the end of the victim that it watches
			w.dying = false
			w.step(Input{Kind: Exited})
		}
	default:
		w.elapse()
	}
}

// elapse hands in the deadline, sometimes too early.
func (w *world) elapse() {
	if w.deadline == 0 {
		return
	}
	if w.now < w.deadline && w.r.Intn(4) > 0 {
		w.now = w.deadline
	}
	if w.dying && w.now < w.deadline { // the loop never does; the engine must bear it
		w.step(Input{Kind: Elapsed})
		return
	}
	w.deadline = 0
	w.ended = false // said of one look
	w.step(Input{Kind: Elapsed})
}

func (w *world) answer(a *Action) {
	switch a.Do {
	case Sample:
		w.look()
	case List:
		w.list()
	case Kill:
		in := Input{Kind: Signalled}
		if w.r.Intn(5) == 0 {
			in.Errno = 3
		} else {
			w.dying, w.signalled, w.reclaimed, w.ended, w.looks = true, w.now, false, false, [2]Hold{}
			in.Members = w.r.Intn(4) / 3
		}
		w.step(in)
	}
}

func (w *world) look() {
	s := &w.sample
	s.At = w.now
	some := func(max int) uint64 { return uint64(w.r.Intn(max)) << 20 }
	s.Memory = pressure.Memory{Total: 464 << 20, Free: some(12), Available: some(130), SwapTotal: some(2) * 100}
	s.Memory.SwapFree = min(some(100), s.Memory.SwapTotal)
	s.Counters.PgscanDirect += uint64(w.r.Intn(2))
	s.Counters.Refault += uint64(w.r.Intn(2000))
	s.Counters.OOMKill += uint64(w.r.Intn(20) / 19)
	s.Stall.SomeTotal += uint64(w.r.Intn(50000))
	s.Stall.FullTotal += uint64(w.r.Intn(50000))
	in := Input{Kind: Sampled, Sample: s}
	if w.r.Intn(2) == 0 {
		in.Reclaim = pressure.Reclaim{Known: true, Kswapd: w.r.Intn(2) == 0, Direct: w.r.Intn(3) == 0}
	}
	if w.r.Intn(20) == 0 {
		in.Errno = 5
	}
	w.step(in)
}

func (w *world) list() {
	w.table = w.table[:0]
	for range w.r.Intn(6) {
		p := victim.Process{PID: int32(w.r.Intn(30)), StartTime: 1 + uint64(w.r.Intn(2)), Flag: victim.Detailed}
		p.Adj = int16([]int{-1000, -500, 0, 0, 300, 950}[w.r.Intn(6)])
		p.RssAnon = uint64(w.r.Intn(50)) << 20
		if w.r.Intn(5) == 0 {
			p.Flag |= victim.Dying
		}
		w.table = append(w.table, p)
	}
	w.depart()
	w.step(Input{Kind: Listed, Candidates: w.table})
}

// depart notes who is dying, since when: one that is not seen dying any more
// may be another one when it is seen again. Those that were written off, which
// the engine may do to a stuck one, are in shun.
func (w *world) depart() {
	seen := map[victim.Identity]time.Duration{}
	for i := range w.table {
		p := &w.table[i]
		id := p.Identity()
		if !p.Is(victim.Dying) || p.RssAnon == 0 {
			continue
		}
		if since, ok := w.leaving[id]; ok {
			seen[id] = since
		} else if _, again := seen[id]; !again {
			seen[id] = w.now
		}
		if w.state.shun.Has(p) {
			w.shun[id] = true
		}
	}
	for id, since := range seen {
		w.leaving[id] = since
	}
}

// TestOneVictimAtATime plays thousands of random schedules: no second Kill
// before Exited or the deadline, no answer owed twice, never deaf.
func TestOneVictimAtATime(t *testing.T) {
	kills, stuck, freeing, softened := 0, 0, 0, 0
	for seed := range int64(5000) {
		w := newWorld(t, seed)
		w.step(Input{Kind: Started})
		for range 300 {
			w.advance()
		}
		kills, stuck, freeing, softened = kills+w.kills, stuck+w.stuck, freeing+w.freeing, softened+w.softened
	}
	t.Logf("%d kills, %d of them ended as stuck, %d listings held for the dying", kills, stuck, freeing)
	if kills < 10000 || stuck < 100 || freeing < 1000 || softened < 5000 {
		t.Errorf("%d kills, %d stuck, %d held, %d softer acts in all schedules: they show little", kills, stuck, freeing, softened)
	}
}

// TestSameInputsSameActions: the engine is a function of its inputs alone.
func TestSameInputsSameActions(t *testing.T) {
	a, b := newWorld(t, 7), newWorld(t, 7)
	for _, w := range []*world{a, b} {
		w.step(Input{Kind: Started})
		for range 2000 {
			w.advance()
		}
	}
	if a.now != b.now || a.kills != b.kills || a.state.flight.ID != b.state.flight.ID || a.kills == 0 {
		t.Errorf("%v and %v, %d and %d kills", a.now, b.now, a.kills, b.kills)
	}
}

// cycle is a whole kill from wake to measured end.
func cycle() (run func(*Policy, *State)) {
	s := pressure.Sample{
		Has:        pressure.HasAvailable | pressure.HasWatermarks,
		Memory:     pressure.Memory{Total: 464 << 20, Free: 3 << 20, Available: 20 << 20},
		Watermarks: pressure.Watermarks{Min: 2 << 20, Low: 4 << 20, High: 6 << 20},
	}
	table := make([]victim.Process, 32)
	for i := range table {
		table[i] = victim.Process{PID: int32(i + 2), StartTime: 1, RssAnon: uint64(i) << 20, Flag: victim.Detailed}
	}
	now := time.Hour
	var in Input
	return func(p *Policy, st *State) {
		for _, kind := range [...]Kind{Woken, Sampled, Listed, Signalled, Reaped, Exited, Sampled, Elapsed, Sampled} {
			now += time.Millisecond
			in = Input{At: now, Kind: kind}
			switch kind {
			case Woken:
				in.Source = FromKswapd
			case Sampled:
				s.At = now
				in.Sample, in.Reclaim = &s, pressure.Reclaim{Known: true, Kswapd: st.flight.ExitedAt == 0}
			case Listed:
				in.Candidates = table
			}
			Step(p, st, &in)
		}
		st.flight = Outcome{}
	}
}

func TestStepDoesNotAllocate(t *testing.T) {
	p, st, run := Linux(), NewState(32), cycle()
	run(&p, st)
	if st.kills != 1 {
		t.Fatalf("%d kills in the cycle, want 1: it does not show a whole kill", st.kills)
	}
	if n := testing.AllocsPerRun(100, func() { run(&p, st) }); n != 0 {
		t.Errorf("%v allocations a kill", n)
	}
}

// BenchmarkStep is nine steps: a whole kill among 32 candidates.
func BenchmarkStep(b *testing.B) {
	p, st, run := Linux(), NewState(32), cycle()
	b.ReportAllocs()
	for b.Loop() {
		run(&p, st)
	}
}

func TestWords(t *testing.T) {
	for k := Started; k <= Relieved; k++ {
		if k.String() == "" {
			t.Errorf("kind %d has no name", k)
		}
	}
	for d := Sample; d <= Relent; d++ {
		if d.String() == "" {
			t.Errorf("action %d has no name", d)
		}
	}
	for n := Nobody; n <= Relieving; n++ {
		if n.String() == "" {
			t.Errorf("note %d has no name", n)
		}
	}
}
