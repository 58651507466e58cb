package record

import (
	"sync/atomic"

	"github.com/lmkd/lmkd/internal/engine"
	"github.com/lmkd/lmkd/pkg/victim"
)

// Size says how much a ring holds. The zero value of a field takes that of
// DefaultSize.
type Size struct {
	Entries    int // steps
	Tables     int // of them with candidates and a ranking
	Outcomes   int // of them with an outcome
	Candidates int // in one table: as many as the process table ever hands out
	Texts      int // bytes of cgroup paths and command lines in one table
}

// DefaultSize holds more than two seconds of the quickest cadence, in about
// 0.8 MB.
var DefaultSize = Size{Entries: 512, Tables: 8, Outcomes: 16, Candidates: 64, Texts: 8 << 10}

// TraceSize is for a run that writes a trace: a gap would end its replay, and
// while memory is short the disk may not take a line for seconds. It holds 20 s
// of the quickest cadence, in about 6 MB.
var TraceSize = Size{Entries: 4096, Tables: 32, Outcomes: 64}

func (s Size) orDefault() Size {
	pick := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	pick(&s.Entries, DefaultSize.Entries)
	pick(&s.Tables, DefaultSize.Tables)
	pick(&s.Outcomes, DefaultSize.Outcomes)
	pick(&s.Candidates, DefaultSize.Candidates)
	pick(&s.Texts, DefaultSize.Texts)
	return s
}

// Ring keeps the newest entries between one producer, which never waits, and
// one reader. A slot has an owner, told by its state: the producer overwrites
// what is unread when the ring is full, but passes over the one slot that the
// reader holds. What was overwritten shows as a gap in Seq.
type Ring struct {
	slots    []slot
	tables   pool[table]
	outcomes pool[engine.Outcome]

	head atomic.Uint64 // positions handed out; written by the producer alone
	wake chan struct{} // holds one token while something was told and not read

	// The producer's own.
	domains map[uint16]*Domain // those that came after the start
	seq     uint64
	told    uint64 // seq at the last Notify
}

// NewRing makes a ring and touches all its memory, so that Append never waits
// for a page.
func NewRing(size Size) *Ring {
	size = size.orDefault()
	r := &Ring{
		slots:    make([]slot, size.Entries),
		tables:   newPool[table](size.Tables, func(s *slot) *int16 { return &s.table }, CutTable),
		outcomes: newPool[engine.Outcome](size.Outcomes, func(s *slot) *int16 { return &s.outcome }, CutOutcome),
		wake:     make(chan struct{}, 1),
		domains:  map[uint16]*Domain{},
	}
	for i := range r.tables.items {
		t := &r.tables.items[i]
		t.candidates = make([]victim.Process, size.Candidates)
		t.ranking.Places = make([]victim.Place, size.Candidates)
		t.texts = make([]byte, size.Texts)
		touch(t.texts)
		touchAll(t.candidates, func(p *victim.Process) { p.PID = -1 })
		touchAll(t.ranking.Places, func(p *victim.Place) { p.Index = -1 })
	}
	touchAll(r.slots, func(s *slot) { s.table, s.outcome = -1, -1 })
	return r
}

// touch writes to every page of b.
func touch(b []byte) {
	for i := 0; i < len(b); i += 4096 {
		b[i] = 1
	}
}

func touchAll[T any](items []T, write func(*T)) {
	for i := range items {
		write(&items[i])
	}
}

// Append copies one step into the ring. It is the producer's: one goroutine
// calls it. It allocates nothing, takes no lock and makes no system call.
func (r *Ring) Append(domain uint16, in *engine.Input, out *engine.Output) {
	s, pos := r.claim()
	r.seq++
	s.pos, s.seq = pos, r.seq
	s.table, s.outcome = -1, -1
	s.of, s.closed = r.domains[domain], false
	s.fill(domain, in, out)
	if in.Kind == engine.Listed || in.Kind == engine.Adopted {
		if t := r.tables.lend(s); t != nil {
			s.cut |= t.fill(in, out)
		}
	}
	if out.Outcome != nil {
		if o := r.outcomes.lend(s); o != nil {
			*o = *out.Outcome
			o.Victim.Detach()
		}
	}
	s.state.Store(full)
	r.head.Store(pos + 1)
}

// Open adds a domain that comes after the start. Its number may have been that of
// one that is gone.
func (r *Ring) Open(domain uint16, name string, p *engine.Policy) {
	r.domains[domain] = &Domain{ID: domain, Name: name, Policy: *p}
}

// Close tells that a domain that was opened is gone.
func (r *Ring) Close(domain uint16) {
	s, pos := r.claim()
	r.seq++
	s.pos, s.seq = pos, r.seq
	s.table, s.outcome = -1, -1
	s.of, s.closed = r.domains[domain], true
	s.fill(domain, &engine.Input{}, &engine.Output{})
	delete(r.domains, domain)
	s.state.Store(full)
	r.head.Store(pos + 1)
}

// claim makes the next slot the producer's, and gives its position.
func (r *Ring) claim() (*slot, uint64) {
	for pos := r.head.Load(); ; pos++ {
		s := &r.slots[pos%uint64(len(r.slots))]
		if state := s.state.Load(); state != reading && s.state.CompareAndSwap(state, writing) {
			return s, pos
		}
	}
}

// Notify wakes the publisher if anything was appended since the last Notify.
// It never blocks.
func (r *Ring) Notify() {
	if r.told == r.seq {
		return
	}
	r.told = r.seq
	select {
	case r.wake <- struct{}{}:
	default:
	}
}
