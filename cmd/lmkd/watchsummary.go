package main

import (
	"cmp"
	"fmt"
	"math/bits"
	"sort"
	"strings"
	"time"

	"github.com/lmkd/lmkd/pkg/exitwait"
	"github.com/lmkd/lmkd/pkg/taskwatch"
)

// jsonEvent is an event for a program. Numbers that its kind does not have are
// missing.
type jsonEvent struct {
	Time      string  `json:"time"`
	Monotonic int64   `json:"monotonic_ns"`
	Event     string  `json:"event"`
	PID       int     `json:"pid,omitempty"`
	TGID      int     `json:"tgid,omitempty"`
	Parent    int     `json:"parent,omitempty"`
	Comm      string  `json:"comm,omitempty"`
	Cmdline   string  `json:"cmdline,omitempty"`
	UID       *int    `json:"uid,omitempty"`
	Age       *int64  `json:"age_ns,omitempty"`
	Real      *uint32 `json:"real,omitempty"`
	Effective *uint32 `json:"effective,omitempty"`
	Code      *int    `json:"code,omitempty"`
	Signal    string  `json:"signal,omitempty"`
	Core      bool    `json:"core_dumped,omitempty"`
	Name      string  `json:"name,omitempty"`
	Count     uint64  `json:"count,omitempty"`
}

func newJSONEvent(ev *taskwatch.Event, t *task) jsonEvent {
	j := jsonEvent{
		Time: wall(ev.Time).Format(time.RFC3339Nano), Monotonic: int64(ev.Time), Event: ev.Kind.String(),
		PID: ev.PID, TGID: ev.TGID, Parent: ev.ParentTGID, Comm: t.comm, Cmdline: t.cmdline, Count: ev.Count,
	}
	if t.uid >= 0 {
		j.UID = &t.uid
	}
	if age, ok := t.age(ev.Time); ok {
		ns := int64(age)
		j.Age = &ns
	}
	switch ev.Kind {
	case taskwatch.UID, taskwatch.GID:
		j.Real, j.Effective = &ev.Real, &ev.Effective
	case taskwatch.Comm:
		j.Name = ev.Comm()
	case taskwatch.Exit, taskwatch.Free:
		e := exitwait.Exit{Known: true, Status: ev.Status}
		if code := e.Code(); code >= 0 {
			j.Code = &code
		}
		j.Signal, j.Core = e.SignalName(), e.CoreDumped()
	}
	return j
}

// summary counts what was shown.
type summary struct {
	kinds  [32]int
	byComm map[string]*[32]int
}

func newSummary() *summary { return &summary{byComm: map[string]*[32]int{}} }

func (s *summary) count(ev *taskwatch.Event, comm string) {
	k := bits.TrailingZeros32(uint32(ev.Kind))
	s.kinds[k]++
	if ev.Kind == taskwatch.Lost {
		return
	}
	if s.byComm[comm] == nil {
		s.byComm[comm] = new([32]int)
	}
	s.byComm[comm][k]++
}

// names gives the commands with the most events first.
func (s *summary) names() []string {
	names := make([]string, 0, len(s.byComm))
	for name := range s.byComm {
		names = append(names, name)
	}
	sort.Slice(names, func(i, j int) bool {
		a, b := total(s.byComm[names[i]]), total(s.byComm[names[j]])
		if a != b {
			return a > b
		}
		return names[i] < names[j]
	})
	return names
}

func total(counts *[32]int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}

// text is the summary as a table: a line of totals, then the busiest commands.
func (s *summary) text(took time.Duration) string {
	const most = 20
	var b strings.Builder
	fmt.Fprintf(&b, "\n%d events in %s\n", total(&s.kinds), shortTime(took))
	var seen []int
	for k, n := range s.kinds {
		if n > 0 {
			seen = append(seen, k)
		}
	}
	row := func(counts *[32]int, name string) {
		for _, k := range seen {
			fmt.Fprintf(&b, "%9d", counts[k])
		}
		fmt.Fprintf(&b, "  %s\n", name)
	}
	if len(seen) == 0 {
		return b.String()
	}
	for _, k := range seen {
		fmt.Fprintf(&b, "%9v", taskwatch.Kind(1)<<k)
	}
	b.WriteString("  COMMAND\n")
	names := s.names()
	for _, name := range names[:min(len(names), most)] {
		row(s.byComm[name], cmp.Or(printable(name), "?"))
	}
	if len(names) > most {
		fmt.Fprintf(&b, "%s  and %d commands more\n", strings.Repeat(" ", 9*len(seen)), len(names)-most)
	}
	row(&s.kinds, "all")
	if s.kinds[bits.TrailingZeros32(uint32(taskwatch.Lost))] > 0 {
		b.WriteString("Events were lost: the numbers are too small.\n")
	}
	return b.String()
}

type jsonSummary struct {
	Summary struct {
		Length int64                     `json:"length_ns"`
		Events map[string]int            `json:"events"`
		Comm   map[string]map[string]int `json:"by_comm"`
	} `json:"summary"`
}

func (s *summary) json(took time.Duration) (j jsonSummary) {
	j.Summary.Length = int64(took)
	j.Summary.Events = countsByName(&s.kinds)
	j.Summary.Comm = map[string]map[string]int{}
	for name, counts := range s.byComm {
		j.Summary.Comm[name] = countsByName(counts)
	}
	return j
}

func countsByName(counts *[32]int) map[string]int {
	m := map[string]int{}
	for k, n := range counts {
		if n > 0 {
			m[(taskwatch.Kind(1) << k).String()] = n
		}
	}
	return m
}
