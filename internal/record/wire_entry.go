package record

import (
	"errors"
	"fmt"
	"time"

	"github.com/lmkd/lmkd/internal/engine"
	"github.com/lmkd/lmkd/pkg/pressure"
	"github.com/lmkd/lmkd/pkg/victim"
)

// wireEntry is one line of a trace.
type wireEntry struct {
	Seq        uint64        `json:"seq"`
	Lost       uint64        `json:"lost,omitempty"`
	Cut        Cut           `json:"cut,omitempty"`
	Domain     uint16        `json:"domain,omitempty"`
	Opened     *Domain       `json:"opened,omitempty"` // with the first entry of one that came after the start
	Closed     bool          `json:"closed,omitempty"`
	At         time.Duration `json:"at"`
	Kind       string        `json:"kind"`
	Source     engine.Source `json:"source,omitempty"`
	Event      string        `json:"event,omitempty"`
	Errno      int32         `json:"errno,omitempty"`
	Took       time.Duration `json:"took,omitempty"`
	Members    int           `json:"members,omitempty"`
	Spared     int           `json:"spared,omitempty"`
	Ended      bool          `json:"ended,omitempty"`
	Holds      []string      `json:"holds,omitempty"`
	Act        uint8         `json:"act,omitempty"`
	Bytes      uint64        `json:"bytes,omitempty"`
	Sample     *wireSample   `json:"sample,omitempty"`
	Reclaim    wireReclaim   `json:"reclaim,omitzero"`
	Targets    wireTargets   `json:"targets,omitzero"`
	Candidates []wireProcess `json:"candidates,omitempty"`
	Listing    wireListing   `json:"listing,omitzero"`
	Out        wireOutput    `json:"out"`
}

type wireReclaim struct {
	Known       bool          `json:"known,omitempty"`
	Kswapd      bool          `json:"kswapd,omitempty"`
	Direct      bool          `json:"direct,omitempty"`
	DirectSince time.Duration `json:"direct_since,omitempty"`
}

type wireTargets [6]wireMinfree

type wireMinfree struct {
	Bytes  uint64 `json:"bytes,omitempty"`
	MinAdj int16  `json:"min_adj,omitempty"`
}

type wireListing struct {
	Seen     int           `json:"seen,omitempty"`
	Refused  [16]int       `json:"refused,omitzero"`
	Detailed int           `json:"detailed,omitempty"`
	Took     time.Duration `json:"took,omitempty"`
}

func toWireEntry(e *Entry) *wireEntry {
	in := &e.In
	w := &wireEntry{
		Seq: e.Seq, Lost: e.Lost, Cut: e.Cut, Domain: e.Domain, Closed: e.Closed,
		At: in.At, Kind: in.Kind.String(), Source: in.Source, Event: levelName(in.Event),
		Errno: in.Errno, Took: in.Took, Members: in.Members, Spared: in.Spared, Ended: in.Ended, Holds: in.Holds.Words(), Act: in.Act, Bytes: in.Bytes,
		Reclaim: wireReclaim(in.Reclaim), Targets: toWireTargets(&in.Targets), Listing: wireListing(in.Listing), Out: toWireOutput(&e.Out),
	}
	if in.Sample != nil {
		w.Sample = toWireSample(in.Sample)
	}
	for i := range in.Candidates {
		w.Candidates = append(w.Candidates, toWireProcess(&in.Candidates[i]))
	}
	return w
}

func toWireTargets(t *pressure.Targets) (w wireTargets) {
	for i := range t {
		w[i] = wireMinfree(t[i])
	}
	return w
}

func (w *wireTargets) targets() (t pressure.Targets) {
	for i := range w {
		t[i] = pressure.Minfree(w[i])
	}
	return t
}

// levelName leaves the common level out of the trace.
func levelName(l pressure.Level) string {
	if l == pressure.LevelNone {
		return ""
	}
	return l.String()
}

func parseLevel(name string, l *pressure.Level) error {
	if name == "" {
		*l = pressure.LevelNone
		return nil
	}
	return parseName(levels, name, l)
}

var errNoSample = errors.New("kind sampled has neither a sample nor an error number")

// entry makes an Entry that a Step can take.
func (w *wireEntry) entry() (*Entry, error) {
	e := &Entry{Seq: w.Seq, Lost: w.Lost, Cut: w.Cut, Domain: w.Domain, Of: w.Opened, Closed: w.Closed}
	if w.Opened != nil && w.Opened.ID != w.Domain {
		return nil, fmt.Errorf("domain %d is opened by an entry of domain %d", w.Opened.ID, w.Domain)
	}
	in := &e.In
	*in = engine.Input{
		At: w.At, Source: w.Source, Errno: w.Errno, Took: w.Took, Members: w.Members, Spared: w.Spared, Ended: w.Ended, Act: w.Act, Bytes: w.Bytes,
		Reclaim: pressure.Reclaim(w.Reclaim), Targets: w.Targets.targets(), Listing: engine.Listing(w.Listing),
	}
	if w.Sample != nil {
		in.Sample = w.Sample.sample()
	}
	if len(w.Candidates) > 0 {
		in.Candidates = make([]victim.Process, len(w.Candidates))
	}
	var bad error
	in.Holds, bad = holds(w.Holds)
	err := errors.Join(bad, parseName(kinds, w.Kind, &in.Kind), parseLevel(w.Event, &in.Event), w.Out.output(&e.Out))
	for i := range w.Candidates {
		err = errors.Join(err, w.Candidates[i].process(&in.Candidates[i]))
	}
	if err == nil && in.Kind == engine.Sampled && in.Sample == nil && in.Errno == 0 {
		err = errNoSample
	}
	if err != nil {
		return nil, err
	}
	return e, nil
}
