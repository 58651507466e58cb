package record

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lmkd/lmkd/internal/engine"
	"github.com/lmkd/lmkd/pkg/pressure"
)

// visitor is a domain that comes after the start, with an engine of its own.
type visitor struct {
	id     uint16
	policy engine.Policy
	state  *engine.State
}

func (s *story) open(id uint16, name string, pause time.Duration) *visitor {
	machine := engine.Linux()
	v := &visitor{id, engine.Cgroup(&machine), engine.NewState(8)}
	v.policy.PollUrgent = pause
	s.ring.Open(id, name, &v.policy)
	return v
}

// visit hands in one input; a look finds the cgroup at its limit.
func (s *story) visit(v *visitor, in engine.Input) {
	s.now += time.Millisecond
	in.At = s.now
	if in.Kind == engine.Sampled {
		in.Sample = &pressure.Sample{At: s.now, Has: pressure.HasAvailable | pressure.HasStall, Memory: pressure.Memory{Total: 96 << 20, Available: 1 << 20}}
	}
	s.ring.Append(v.id, &in, engine.Step(&v.policy, v.state, &in))
}

// settled is a start and a look.
func (s *story) settled(v *visitor) {
	s.visit(v, engine.Input{Kind: engine.Started})
	s.visit(v, engine.Input{Kind: engine.Sampled})
}

// comings is a story with a domain that comes, one that goes, and another one
// under its number.
func comings() *story {
	s := newStory(engine.Linux())
	s.step(engine.Input{Kind: engine.Started})
	s.look(240, false)
	first := s.open(3, "/a.slice", 50*time.Millisecond)
	s.settled(first)
	s.step(engine.Input{Kind: engine.Woken, Source: engine.FromPSI, Event: pressure.LevelMedium})
	s.ring.Close(3)
	s.settled(s.open(3, "/b.slice", 77*time.Millisecond))
	return s
}

// A trace carries the domains that came after its start, and replays them, the
// second one under a number with a state and a policy of its own.
func TestTraceOfComingDomains(t *testing.T) {
	trace := comings().trace(t)
	steps, cut, err := replayAll(trace)
	if steps != 8 || cut || err != nil {
		t.Errorf("%d steps, cut %v, error %v", steps, cut, err)
	}
	if n := strings.Count(string(trace), `"opened"`); n != 2 {
		t.Errorf("%d domains are opened, want 2:\n%s", n, trace)
	}
	changed := strings.Replace(string(trace), `"PollUrgent":77000000`, `"PollUrgent":10000000`, 1)
	var d *Difference
	if _, _, err = replayAll([]byte(changed)); !errors.As(err, &d) {
		t.Errorf("with another policy of the second domain: %v", err)
	}
	changed = strings.Replace(string(trace), `"opened":{"id":3`, `"opened":{"id":4`, 1)
	if _, _, err = replayAll([]byte(changed)); err == nil || !strings.Contains(err.Error(), "domain 4 is opened by an entry of domain 3") {
		t.Error(err)
	}
}

// The timeline names the domain of what is not the machine's.
func TestTimelineNamesDomains(t *testing.T) {
	rd, err := NewReader(bytes.NewReader(comings().trace(t)))
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	timeline := NewTimeline(&rd.Header)
	if _, err := Replay(rd, func(_ int, e *Entry) { fmt.Fprintln(&text, timeline.Moment(e)) }); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"  started: sample", "'/a.slice': started: sample", "'/a.slice': the cgroup is gone", "'/b.slice': started"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in:\n%s", want, text.String())
		}
	}
}

// A domain whose first entries were overwritten comes with the first that was not.
func TestDomainsSurviveOverwriting(t *testing.T) {
	s := newStory(engine.Linux())
	s.ring = NewRing(Size{Entries: 4})
	v := s.open(9, "/late.slice", time.Second)
	for range 20 {
		s.settled(v)
	}
	var said []string
	log := NewLog(LogOptions{Domains: []Domain{{Name: "machine", Policy: s.policy}}}, func(l string) { said = append(said, l) })
	c := cursor{ring: s.ring}
	n := 0
	c.each(func(e *Entry) {
		n++
		if e.Of == nil || e.Of.Name != "/late.slice" {
			t.Errorf("entry %d is of %v", e.Seq, e.Of)
		}
		log.Record(e)
	})
	if n == 0 || len(said) == 0 || !strings.HasPrefix(said[0], "'/late.slice': 3") {
		t.Errorf("%d entries, said %q", n, said)
	}
}
