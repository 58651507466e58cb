package record

import (
	"runtime"
	"time"

	"github.com/lmkd/lmkd/internal/engine"
)

// cursor is the one reader of a ring.
type cursor struct {
	ring  *Ring
	pos   uint64 // the next position to read
	seq   uint64 // of the last entry given
	entry Entry
	acts  [maxActions]engine.Action
}

// each gives every entry that waits, oldest first. The entry is valid for the
// call.
func (c *cursor) each(give func(*Entry)) {
	for {
		s := c.next()
		if s == nil {
			return
		}
		give(c.view(s))
		s.state.Store(empty)
	}
}

// next makes the oldest unread slot the reader's, nil when there is none.
func (c *cursor) next() *slot {
	n := uint64(len(c.ring.slots))
	for {
		head := c.ring.head.Load()
		if c.pos == head {
			return nil
		}
		if head-c.pos > n {
			c.pos = head - n // the rest has been overwritten
		}
		s := &c.ring.slots[c.pos%n]
		switch s.state.Load() {
		case writing: // for some instructions
			runtime.Gosched()
			continue
		case full:
			if !s.state.CompareAndSwap(full, reading) {
				continue
			}
			if s.pos == c.pos {
				c.pos++
				return s
			}
			s.state.Store(full) // a newer one: its turn comes
		}
		c.pos++ // passed over by the producer
	}
}

// view shows a slot that the reader owns as an entry.
func (c *cursor) view(s *slot) *Entry {
	e := &c.entry
	*e = Entry{Seq: s.seq, Lost: s.seq - c.seq - 1, Domain: s.domain, Of: s.of, Closed: s.closed, Cut: s.cut, In: s.in}
	s.of = nil
	c.seq = s.seq
	e.Out.Note, e.Out.Level, e.Out.LevelChanged = s.note, s.level, s.graded
	if s.hasSample {
		e.In.Sample = &s.sample
	}
	if s.hasVerdict {
		e.Out.Verdict = &s.verdict
	}
	if s.table >= 0 {
		t := &c.ring.tables.items[s.table]
		e.In.Candidates = t.candidates
		if t.ranked {
			e.Out.Ranking = &t.ranking
		}
	}
	if s.outcome >= 0 {
		e.Out.Outcome = &c.ring.outcomes.items[s.outcome]
	}
	e.Out.Actions = c.actions(s)
	return e
}

func (c *cursor) actions(s *slot) []engine.Action {
	for i := range s.actions[:s.acts] {
		a := &s.actions[i]
		c.acts[i] = engine.Action{
			Do: a.do, Watermarks: a.watermarks, Surveyed: a.surveyed, Soft: a.soft, Tree: a.tree,
			Index: a.index, Until: time.Duration(a.until), Again: time.Duration(a.again), Acts: a.acts, Room: a.room,
		}
		if a.do == engine.List {
			c.acts[i].Query = s.query
		}
	}
	return c.acts[:s.acts]
}
