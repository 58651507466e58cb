package main

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/kill"
)

// killReport prints what became of each.
type killReport struct {
	w    io.Writer
	json bool
}

// stepJSON is one step as a program reads it.
type stepJSON struct {
	Errno string  `json:"errno"` // "ok", or its symbolic name
	AtMS  float64 `json:"at_ms"` // after the first signal
	MS    float64 `json:"ms"`    // its duration
	Tries int     `json:"attempts,omitempty"`
}

// killJSON is one process.
type killJSON struct {
	PID        int             `json:"pid"`
	Start      uint64          `json:"start"`
	Fate       kill.Fate       `json:"fate"`
	MemoryBack bool            `json:"memory_back"`
	Signal     *stepJSON       `json:"signal,omitempty"`
	Escalate   *stepJSON       `json:"escalate,omitempty"`
	Reclaim    *stepJSON       `json:"reclaim,omitempty"`
	Boost      *boostJSON      `json:"boost,omitempty"`
	Wait       *stepJSON       `json:"wait,omitempty"`
	Before     kill.Memory     `json:"before"`
	After      kill.Memory     `json:"after_reclaim"`
	AtEnd      kill.Memory     `json:"at_end"`
	Reclaimed  kill.Freed      `json:"reclaimed"`
	Freed      kill.Freed      `json:"freed"`
	Condition  *kill.Condition `json:"condition,omitempty"`
	Twins      []kill.Twin     `json:"twins,omitempty"`
	Killed     []int           `json:"killed_twins,omitempty"`
	Notes      []string        `json:"notes,omitempty"`
	Error      string          `json:"error,omitempty"`
}

type boostJSON struct {
	stepJSON
	Threads int      `json:"threads"`
	Refused int      `json:"refused,omitempty"`
	Thawed  bool     `json:"thawed,omitempty"`
	Errors  []string `json:"errors,omitempty"`
}

// groupJSON is one cgroup or tree.
type groupJSON struct {
	Name    string       `json:"name"`
	Fate    kill.Fate    `json:"fate"`
	Method  string       `json:"method"`
	Rounds  int          `json:"rounds,omitempty"`
	Frozen  bool         `json:"frozen,omitempty"`
	Signal  *stepJSON    `json:"signal,omitempty"`
	Wait    *stepJSON    `json:"wait,omitempty"`
	Members []memberJSON `json:"members"`
	Left    []int        `json:"left,omitempty"`
	Before  uint64       `json:"charge_before,omitempty"`
	AtEnd   uint64       `json:"charge_at_end,omitempty"`
	Notes   []string     `json:"notes,omitempty"`
	Error   string       `json:"error,omitempty"`
}

type memberJSON struct {
	PID      int       `json:"pid"`
	Resident uint64    `json:"resident"`
	Gone     bool      `json:"gone"`
	Reclaim  *stepJSON `json:"reclaim,omitempty"`
}

func timedStep(s kill.Step, zero time.Duration) *stepJSON {
	if !s.Taken() {
		return nil
	}
	return &stepJSON{Errno: sys.ErrnoName(s.Errno), AtMS: ms(s.Start - zero), MS: ms(s.Took)}
}

func timedReclaim(r kill.Reclaim, zero time.Duration) *stepJSON {
	s := timedStep(r.Step, zero)
	if s != nil {
		s.Tries = r.Attempts
	}
	return s
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// gone is a process that had ended before.
func (r *killReport) gone(name string) error {
	if r.json {
		return json.NewEncoder(r.w).Encode(map[string]string{"name": name, "fate": kill.Gone.String()})
	}
	_, err := fmt.Fprintf(r.w, "%s was gone\n", name)
	return err
}

// process prints the kill of one.
func (r *killReport) process(o *kill.Outcome, failed error) error {
	zero := o.Signal.Start
	if r.json {
		j := killJSON{
			PID: o.PID, Start: o.StartTime, Fate: o.Fate, MemoryBack: o.MemoryBack,
			Signal: timedStep(o.Signal, zero), Escalate: timedStep(o.Escalate, zero), Reclaim: timedReclaim(o.Reclaim, zero),
			Wait: timedStep(o.Wait, zero), Before: o.Before, After: o.AfterReclaim, AtEnd: o.AtEnd,
			Reclaimed: o.Reclaimed, Freed: o.Freed, Twins: o.Twins, Killed: o.Killed, Notes: o.Notes, Error: text(failed),
		}
		if o.Fate != kill.Gone {
			j.Condition = &o.Condition
		}
		if s := timedStep(o.Boost.Step, zero); s != nil {
			j.Boost = &boostJSON{*s, o.Boost.Threads, o.Boost.Refused, o.Boost.Thawed, o.Boost.Errors}
		}
		return json.NewEncoder(r.w).Encode(j)
	}
	p := &linePrinter{w: r.w}
	p.line("%d: %s", o.PID, fateLine(o))
	p.step("signal", o.Signal, zero, "")
	p.step("escalate", o.Escalate, zero, "")
	p.step("boost", o.Boost.Step, zero, boostLine(&o.Boost))
	p.step("reclaim", o.Reclaim.Step, zero, fmt.Sprintf("%d attempts, %s", o.Reclaim.Attempts, freedLine(o.Reclaimed)))
	p.step("exit", o.Wait, zero, "")
	if o.Before.Attached {
		p.line("  memory   resident %s before; %s in all", size(o.Before.Resident), freedLine(o.Freed))
	}
	for _, t := range o.Twins {
		p.line("  shares   %d has the same memory", t.PID)
	}
	p.notes(o.Notes)
	return p.err
}

func fateLine(o *kill.Outcome) string {
	line := o.Fate.String()
	if o.Fate == kill.Stuck && o.MemoryBack {
		line += ", memory back"
	}
	if holds := o.Condition.Holds.String(); o.Fate != kill.Gone && holds != "" {
		line += " (" + holds + ")"
	}
	return line
}

func boostLine(b *kill.Boost) string {
	line := fmt.Sprintf("%d threads", b.Threads)
	if b.Refused > 0 {
		line += fmt.Sprintf(", %d refused", b.Refused)
	}
	if b.Thawed {
		line += ", thawed"
	}
	return line
}

func freedLine(f kill.Freed) string {
	if f.By == kill.Unmeasured {
		return "not measurable"
	}
	return size(f.Bytes) + " back by the " + f.By.String()
}

func size(n uint64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

// group prints the kill of a cgroup or a tree.
func (r *killReport) group(name string, o *kill.GroupOutcome, failed error) error {
	zero := o.Signal.Start
	if r.json {
		j := groupJSON{
			Name: name, Fate: o.Fate, Method: o.Method, Rounds: o.Rounds, Frozen: o.Frozen,
			Signal: timedStep(o.Signal, zero), Wait: timedStep(o.Wait, zero), Members: []memberJSON{},
			Left: o.Left, Before: o.Before, AtEnd: o.AtEnd, Notes: o.Notes, Error: text(failed),
		}
		for _, m := range o.Members {
			j.Members = append(j.Members, memberJSON{m.PID, m.Resident, m.Gone, timedReclaim(m.Reclaim, zero)})
		}
		return json.NewEncoder(r.w).Encode(j)
	}
	p := &linePrinter{w: r.w}
	p.line("%s: %s, %d processes by %s", name, o.Fate, len(o.Members), o.Method)
	p.step("signal", o.Signal, zero, "")
	for _, m := range o.Members {
		p.step("reclaim", m.Reclaim.Step, zero, fmt.Sprintf("process %d of %s", m.PID, size(m.Resident)))
	}
	p.step("exit", o.Wait, zero, "")
	if o.Before > 0 {
		p.line("  memory   %s charged before, %s at the end", size(o.Before), size(o.AtEnd))
	}
	for _, pid := range o.Left {
		p.line("  left     %d", pid)
	}
	p.notes(o.Notes)
	return p.err
}

// linePrinter prints lines until one fails.
type linePrinter struct {
	w   io.Writer
	err error
}

func (p *linePrinter) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}

// step prints a step that was taken.
func (p *linePrinter) step(name string, s kill.Step, zero time.Duration, more string) {
	if !s.Taken() {
		return
	}
	if more != "" {
		more = "  " + more
	}
	p.line("  %-8s %-10s at %8.3f ms, took %8.3f ms%s", name, sys.ErrnoName(s.Errno), ms(s.Start-zero), ms(s.Took), more)
}

func (p *linePrinter) notes(notes []string) {
	for _, note := range notes {
		p.line("  note     %s", note)
	}
}
