package record

import (
	"errors"
	"fmt"
	"io"

	"github.com/lmkd/lmkd/internal/engine"
)

// Difference is where a replay decides otherwise than the record says.
type Difference struct {
	Line     int    // of the trace
	Field    string // path into the entry, as the trace names it
	Recorded string // as JSON
	Computed string
}

func (d *Difference) Error() string {
	return fmt.Sprintf("trace line %d: %s is %s in the record, %s in the replay", d.Line, d.Field, d.Recorded, d.Computed)
}

// Gap is where a trace lacks what a replay needs.
type Gap struct {
	Line int
	Why  string
}

func (g *Gap) Error() string {
	return fmt.Sprintf("trace line %d: %s: no replay past it", g.Line, g.Why)
}

// Replay runs the recorded inputs through engine.Step, domain by domain, and
// compares what it gives with what was recorded. It stops at the first
// difference (*Difference), at a gap (*Gap) or at an unreadable line
// (*LineError), and gives the number of steps that were the same. Each entry is
// handed to seen before it is stepped, if that is not nil.
func Replay(t *Reader, seen func(line int, e *Entry)) (steps int, err error) {
	states := make(map[uint16]*replayed, len(t.Header.Domains))
	for i := range t.Header.Domains {
		d := &t.Header.Domains[i]
		states[d.ID] = newReplayed(d)
	}
	for {
		e, err := t.Next()
		if errors.Is(err, io.EOF) {
			return steps, nil
		}
		if err != nil {
			return steps, err
		}
		if seen != nil {
			seen(t.Line(), e)
		}
		if err := step(t.Line(), states, e); err != nil {
			return steps, err
		}
		steps++
	}
}

type replayed struct {
	of     *Domain
	policy *engine.Policy
	state  *engine.State
}

func newReplayed(d *Domain) *replayed {
	return &replayed{d, &d.Policy, engine.NewState(DefaultSize.Candidates)}
}

// step replays one entry.
func step(line int, states map[uint16]*replayed, e *Entry) error {
	if why := lacks(e); why != "" {
		return &Gap{line, why}
	}
	d, ok := states[e.Domain]
	if e.Of != nil && (!ok || d.of != e.Of) {
		d, ok = newReplayed(e.Of), true
		states[e.Domain] = d
	}
	if e.Closed {
		delete(states, e.Domain)
		return nil
	}
	if !ok {
		return &LineError{line, fmt.Errorf("domain %d is not in the header, and nothing opens it", e.Domain)}
	}
	recorded, computed := toWireOutput(&e.Out), toWireOutput(engine.Step(d.policy, d.state, &e.In))
	field, a, b, same := compare(recorded, computed)
	if same {
		return nil
	}
	return &Difference{line, field, a, b}
}

// lacks says what of an entry is missing, "" when it is whole. Texts may be
// shortened: no decision reads them.
func lacks(e *Entry) string {
	switch {
	case e.Lost > 0:
		return fmt.Sprintf("%d entries were overwritten before they were written down", e.Lost)
	case e.Cut&CutTable != 0:
		return "the candidates were overwritten before they were written down"
	case e.Cut&CutCandidates != 0:
		return "there were more candidates than the record holds"
	case e.Cut&CutOutcome != 0:
		return "the outcome was overwritten before it was written down"
	case e.Cut&CutActions != 0:
		return "there were more actions than the record holds"
	}
	return ""
}
