package record

import (
	"sync/atomic"

	"github.com/lmkd/lmkd/internal/engine"
	"github.com/lmkd/lmkd/pkg/pressure"
	"github.com/lmkd/lmkd/pkg/victim"
)

// The states of a slot: who may touch its fields.
const (
	empty   uint32 = iota // nobody needs to; the producer may
	writing               // the producer
	full                  // whoever swaps it away first
	reading               // the reader
)

const maxActions = 4

// slot is one entry of the ring, without the big parts that few entries have.
type slot struct {
	state atomic.Uint32

	pos, seq uint64
	domain   uint16
	closed   bool
	of       *Domain // nil for those of the header
	cut      Cut
	in       engine.Input // its pointers are nil
	sample   pressure.Sample
	verdict  pressure.Verdict
	query    victim.Query // of the List action, the only one that has one
	note     engine.Note
	level    pressure.Level
	graded   bool // the level changed
	actions  [maxActions]action
	acts     uint8

	hasSample, hasVerdict bool
	table                 int16 // into the ring's tables, -1 for none
	outcome               int16 // into the ring's outcomes, -1 for none
}

// action is an engine.Action without its query.
type action struct {
	do         engine.Do
	watermarks bool
	surveyed   bool
	soft       bool
	tree       bool
	index      int
	until      int64
	again      int64
	acts       uint8
	room       uint64
}

// table holds what a Listed step brings.
type table struct {
	candidates []victim.Process
	texts      []byte
	ranking    victim.Ranking
	ranked     bool
}

// textLimit is how much is kept of one cgroup path or command line.
const textLimit = 256

// fill copies in and out, but for the parts that go into the pools.
func (s *slot) fill(domain uint16, in *engine.Input, out *engine.Output) {
	s.domain, s.cut = domain, 0
	s.in = *in
	s.in.Sample, s.in.Candidates = nil, nil
	if s.hasSample = in.Sample != nil; s.hasSample {
		s.sample = *in.Sample
	}
	if s.hasVerdict = out.Verdict != nil; s.hasVerdict {
		s.verdict = *out.Verdict
	}
	s.note, s.level, s.graded = out.Note, out.Level, out.LevelChanged
	s.acts = uint8(min(len(out.Actions), maxActions))
	if len(out.Actions) > maxActions {
		s.cut |= CutActions
	}
	for i := range out.Actions[:s.acts] {
		a := &out.Actions[i]
		s.actions[i] = action{a.Do, a.Watermarks, a.Surveyed, a.Soft, a.Tree, a.Index, int64(a.Until), int64(a.Again), a.Acts, a.Room}
		if a.Do == engine.List {
			s.query = a.Query
		}
	}
}

// fill copies the candidates and the ranking, and gives what did not fit.
func (t *table) fill(in *engine.Input, out *engine.Output) (cut Cut) {
	n := min(len(in.Candidates), cap(t.candidates))
	if n < len(in.Candidates) {
		cut |= CutCandidates
	}
	t.candidates, t.texts = t.candidates[:n], t.texts[:0]
	copy(t.candidates, in.Candidates)
	for i := range t.candidates {
		p := &t.candidates[i]
		cut |= t.keep(&p.Cgroup) | t.keep(&p.Cmdline) | t.keep(&p.Spared)
	}
	t.ranking.Places = t.ranking.Places[:0]
	if t.ranked = out.Ranking != nil; t.ranked {
		t.ranking.Eligible = out.Ranking.Eligible
		places := out.Ranking.Places
		if len(places) > cap(t.ranking.Places) {
			places, cut = places[:cap(t.ranking.Places)], cut|CutCandidates
		}
		t.ranking.Places = append(t.ranking.Places, places...)
	}
	return cut
}

// keep moves a text into the table's own memory, shortened to what is left.
func (t *table) keep(text *[]byte) (cut Cut) {
	if *text == nil {
		return 0
	}
	n := min(len(*text), textLimit, cap(t.texts)-len(t.texts))
	if n < len(*text) {
		cut = CutTexts
	}
	start := len(t.texts)
	t.texts = append(t.texts, (*text)[:n]...)
	*text = t.texts[start : start+n : start+n]
	return cut
}
