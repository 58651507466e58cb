package record

import (
	"fmt"
	"time"

	"github.com/lmkd/lmkd/internal/engine"
	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/pressure"
	"github.com/lmkd/lmkd/pkg/victim"
)

// Timeline writes entries for a reader of a trace: what came in, what was made
// of it, and why.
type Timeline struct {
	header *Header
	begin  time.Duration // of the first entry
	last   time.Duration // of the entry before
	seen   bool
}

// NewTimeline makes a Timeline of the domains of a header.
func NewTimeline(h *Header) *Timeline { return &Timeline{header: h} }

// Moment is one entry as a person reads it.
type Moment struct {
	After  time.Duration // since the first entry
	Domain string
	Cgroup bool     // the domain is not the whole machine
	What   string   // the input and what it led to
	Why    []string // the verdict's and the ranking's reasons
}

// Moment tells of an entry; they come in the order of the trace.
func (t *Timeline) Moment(e *Entry) Moment {
	if !t.seen {
		t.seen, t.begin = true, e.In.At
	}
	m := Moment{After: max(0, e.In.At-t.begin), What: e.In.Kind.String()}
	policy := &engine.Policy{}
	if e.Of != nil {
		m.Domain, m.Cgroup, policy = e.Of.Name, e.Domain != 0, &e.Of.Policy
	}
	if e.Closed {
		m.After, m.What = t.last-t.begin, "the cgroup is gone"
		return m
	}
	t.last = e.In.At
	for i := range t.header.Domains {
		if d := &t.header.Domains[i]; d.ID == e.Domain {
			m.Domain, m.Cgroup, policy = d.Name, d.ID != 0, &d.Policy
		}
	}
	if text := input(&e.In); text != "" {
		m.What += " " + text
	}
	if text := asked(e); text != "" {
		m.What += ": " + text
	}
	m.Why = why(e, policy)
	return m
}

// Quiet tells that an entry is a look that was due and nothing more: the sample
// that follows says it all.
func Quiet(e *Entry) bool {
	return e.In.Kind == engine.Elapsed && len(e.Out.Actions) == 1 && e.Out.Actions[0].Do == engine.Sample
}

// String writes the moment as lines.
func (m Moment) String() string {
	text := fmt.Sprintf("%12.6f  ", m.After.Seconds())
	if m.Cgroup {
		text += victim.Quote([]byte(m.Domain)) + ": "
	}
	text += m.What
	for _, why := range m.Why {
		text += "\n              " + why
	}
	return text
}

// input tells what came in.
func input(in *engine.Input) string {
	switch in.Kind {
	case engine.Woken:
		return "by " + sources(in.Source) + event(in.Event)
	case engine.Sampled:
		if in.Errno != 0 {
			return sys.ErrnoName(sys.Errno(in.Errno))
		}
		return sampled(in)
	case engine.Listed:
		return fmt.Sprintf("%d candidates in %s, %s", len(in.Candidates), short(in.Listing.Took), refusals(&in.Listing))
	case engine.Signalled:
		return answered("signal", in.Errno, in.Took)
	case engine.Reaped:
		return answered("process_mrelease", in.Errno, in.Took)
	case engine.Examined:
		return in.Holds.String()
	case engine.Relieved:
		return answered(fmt.Sprintf("act %d", in.Act), in.Errno, in.Took) + fmt.Sprintf(", %d cgroups, %s back", in.Members, size(in.Bytes))
	}
	return ""
}

func sampled(in *engine.Input) string {
	m := &in.Sample.Memory
	text := fmt.Sprintf("free %s, available %s of %s", size(m.Free), size(m.Available), size(m.Total))
	if m.SwapTotal > 0 {
		text += fmt.Sprintf(", swap %s of %s free", size(m.SwapFree), size(m.SwapTotal))
	}
	if in.Sample.Has&pressure.HasStall != 0 {
		s := &in.Sample.Stall
		text += fmt.Sprintf(", stalls some %.2f full %.2f", float64(s.SomeAvg10)/100, float64(s.FullAvg10)/100)
	}
	if in.Reclaim.Kswapd {
		text += ", kswapd awake"
	}
	if in.Reclaim.Direct {
		text += ", direct reclaim"
	}
	return text
}

func sources(s engine.Source) string {
	text := ""
	for _, source := range [...]struct {
		bit  engine.Source
		name string
	}{
		{engine.FromPSI, "psi"}, {engine.FromKswapd, "kswapd"}, {engine.FromDirect, "direct reclaim"},
		{engine.FromOOM, "the OOM killer"}, {engine.FromVmpressure, "vmpressure"}, {engine.FromFaults, "page faults"},
	} {
		if s&source.bit == 0 {
			continue
		}
		if text != "" {
			text += " and "
		}
		text += source.name
	}
	return text
}

func event(l pressure.Level) string {
	if l == pressure.LevelNone {
		return ""
	}
	return ", " + l.String() + " event"
}

// asked tells what the engine asked for.
func asked(e *Entry) string {
	text := ""
	for i := range e.Out.Actions {
		if i > 0 {
			text += ", "
		}
		text += deed(e, &e.Out.Actions[i])
	}
	return text
}

func deed(e *Entry, a *engine.Action) string {
	switch a.Do {
	case engine.Sample:
		if a.Watermarks {
			return "sample with watermarks"
		}
	case engine.List:
		return fmt.Sprintf("list from oom_score_adj %d", a.Query.MinAdj)
	case engine.Kill:
		if i, ok := chosen(e); ok {
			return "kill " + named(&e.In.Candidates[i])
		}
	case engine.Expedite:
		if a.Index >= 0 && a.Index < len(e.In.Candidates) {
			return "expedite " + named(&e.In.Candidates[a.Index])
		}
	case engine.Relieve, engine.Relent:
		return fmt.Sprintf("%v acts %b", a.Do, a.Acts)
	case engine.Wait:
		if a.Until == 0 {
			return "wait without a deadline"
		}
		return "wait " + short(a.Until-e.In.At)
	}
	return a.Do.String()
}

// placesShown is how many places of a ranking a timeline shows.
const placesShown = 5

// why gives the reasons that an entry carries.
func why(e *Entry, p *engine.Policy) (lines []string) {
	if e.Lost > 0 {
		lines = append(lines, fmt.Sprintf("%d entries before this one were overwritten", e.Lost))
	}
	if v := e.Out.Verdict; v != nil && v.Act {
		lines = append(lines, v.Explain(&p.Pressure)...)
	}
	if r := e.Out.Ranking; r != nil {
		lines = append(lines, ranked(e, &p.Victim)...)
	}
	if e.Out.LevelChanged {
		lines = append(lines, "level "+e.Out.Level.String())
	}
	if o := e.Out.Outcome; o != nil {
		lines = append(lines, ending(e.Out.Note, o))
	} else if e.Out.Note != engine.NoNote {
		lines = append(lines, "note: "+e.Out.Note.String())
	}
	return lines
}

// ranked explains the first places; a place outside the candidates, in a trace
// that somebody wrote by hand, explains nothing.
func ranked(e *Entry, p *victim.Policy) []string {
	r := *e.Out.Ranking
	for i := range r.Places {
		if p := &r.Places[i]; p.Index < 0 || p.Index >= len(e.In.Candidates) {
			return nil
		}
	}
	r.Places = r.Places[:min(len(r.Places), placesShown)]
	lines := r.Explain(p, e.In.Candidates)
	if more := len(e.Out.Ranking.Places) - len(lines); more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	return lines
}
