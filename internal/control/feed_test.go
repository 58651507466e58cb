package control

import (
	"strings"
	"testing"
	"time"

	"github.com/lmkd/lmkd/internal/engine"
	"github.com/lmkd/lmkd/internal/record"
	"github.com/lmkd/lmkd/pkg/pressure"
	"github.com/lmkd/lmkd/pkg/victim"
)

// steps are what the recorder hands over for one kill in a domain.
func steps(id uint16, of *record.Domain, soft bool) []*record.Entry {
	p := victim.Process{PID: 4242, UID: 5, Adj: 900, RSS: 50 << 20, StartTime: 7}
	p.SetName([]byte("app"))
	v := &pressure.Verdict{Act: true, Reason: pressure.LowMem, MinAdj: 701}
	v.Facts.Thrashing = 33
	out := []*record.Entry{
		{In: engine.Input{Kind: engine.Sampled}, Out: engine.Output{Verdict: v, Level: pressure.LevelCritical, LevelChanged: true}},
		{
			In:  engine.Input{Kind: engine.Listed, Candidates: []victim.Process{{PID: 1}, p}},
			Out: engine.Output{Actions: []engine.Action{{Do: engine.Kill, Index: 1, Soft: soft}}},
		},
		{In: engine.Input{Kind: engine.Signalled}},
	}
	if soft { // SIGKILL follows
		out = append(out, &record.Entry{In: engine.Input{Kind: engine.Signalled}})
	}
	for _, e := range out {
		e.Domain, e.Of = id, of
	}
	return out
}

// feed hands entries to both servers and gives what subscribers hear.
func feed(t *testing.T, f *Feed, entries []*record.Entry) (kills int32, levels []string) {
	t.Helper()
	s := serve(t)
	n, path := serveNative(t)
	c, l := s.dial(t), listen(t, path, `{"cmd":"levels","follow":true}`)
	c.send(5, 0)
	c.settle()
	l.next()
	f.Android, f.Native, f.Name = s.Android, n, func(uint16) string { return "machine" }
	for _, e := range entries {
		f.Record(e)
	}
	n.Level("end", pressure.LevelNone, time.Now())
	for text := l.next(); !strings.Contains(text, `"end"`); text = l.next() {
		levels = append(levels, text[:strings.Index(text, `,"at"`)]+"}")
	}
	for range s.kills.total.Load() {
		if got := c.words(); got[0] != 6 || got[1] != 4242 || got[3] != 50<<10 {
			t.Errorf("notification %v", got)
		}
	}
	return c.settle(), levels
}

func TestFeed(t *testing.T) {
	failed := steps(0, nil, false)
	failed[2].In.Errno = 3
	box := &record.Domain{ID: 1, Name: "a"}
	closed := &record.Entry{Domain: 1, Of: box, Closed: true}
	machine := `{"domain":"machine","level":"critical"}`
	inBox := `{"domain":"a","level":"critical"} {"domain":"a","level":"none"}`
	for name, tt := range map[string]struct {
		entries []*record.Entry
		dry     bool
		kills   int32
		levels  string
	}{
		"a kill":                {steps(0, nil, false), false, 1, machine},
		"SIGTERM, then SIGKILL": {steps(0, nil, true), false, 1, machine},
		"a kill that failed":    {failed, false, 0, machine},
		"a dry run":             {steps(0, nil, false), true, 0, machine},
		"a cgroup that goes":    {append(steps(1, box, false), closed), false, 1, inBox},
		"another cgroup of its number": {
			append(steps(1, box, false), steps(1, &record.Domain{ID: 1, Name: "b"}, false)...), false, 2,
			inBox + ` {"domain":"b","level":"critical"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			kills, levels := feed(t, &Feed{DryRun: tt.dry}, tt.entries)
			if got := strings.Join(levels, " "); kills != tt.kills || got != tt.levels {
				t.Errorf("%d kills, levels %s", kills, got)
			}
		})
	}
}
