package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/exitwait"
	"github.com/lmkd/lmkd/pkg/taskwatch"
)

// task is what is known of a process whose events are shown.
type task struct {
	traits
	start   time.Duration // CLOCK_MONOTONIC
	started bool          // start is known
}

// age gives how old the process was at a time.
func (t *task) age(at time.Duration) (time.Duration, bool) {
	if !t.started || at < t.start {
		return 0, false
	}
	return at - t.start, true
}

// command is the command line, or the name in brackets when there is none, fit
// for a terminal.
func (t *task) command() string {
	switch {
	case t.cmdline != "":
		return printable(t.cmdline)
	case t.comm != "":
		return "[" + printable(t.comm) + "]"
	}
	return "?"
}

// taskTable remembers the processes that were seen, because one that ends may
// be gone before its end is read. Those that end are forgotten.
type taskTable struct {
	root     string
	known    map[int]*task
	lastKind taskwatch.Kind // the last event of a process: Exit, Free, or 0: nothing is remembered
}

func newTaskTable(root string, kinds taskwatch.Kind) *taskTable {
	tt := &taskTable{root: root, known: map[int]*task{}}
	switch kinds = needed(kinds); {
	case kinds&taskwatch.Free != 0:
		tt.lastKind = taskwatch.Free
	case kinds&taskwatch.Exit != 0:
		tt.lastKind = taskwatch.Exit
	}
	return tt
}

// scan remembers all processes that run, if any are to be remembered.
func (tt *taskTable) scan() {
	entries, _ := os.ReadDir(tt.root)
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil && tt.lastKind != 0 {
			tt.known[pid] = tt.read(pid)
		}
	}
}

// apply takes in what ev tells, and gives what is known of its process.
func (tt *taskTable) apply(ev *taskwatch.Event) task {
	if ev.Kind == taskwatch.Lost {
		clear(tt.known)
		return task{traits: traits{uid: -1}}
	}
	t := tt.find(ev)
	switch ev.Kind {
	case taskwatch.Comm:
		if !ev.Thread() {
			t.comm = ev.Comm()
		}
	case taskwatch.UID:
		t.uid = int(ev.Real)
	}
	last := *t
	if ev.Kind == tt.lastKind && !ev.Thread() {
		delete(tt.known, ev.TGID)
	}
	return last
}

// find gives the task of ev, from what was seen or from /proc. A fork makes a
// new one, with its parent's name; an exec is a reason to read it again.
func (tt *taskTable) find(ev *taskwatch.Event) *task {
	t := tt.known[ev.TGID]
	switch {
	case ev.Kind == taskwatch.Fork && !ev.Thread():
		t = tt.born(ev)
	case t == nil:
		t = tt.read(ev.TGID)
	case ev.Kind == taskwatch.Exec:
		now, ok := readTraits(tt.root, ev.TGID)
		if !ok { // gone already: what it became is not known
			now = traits{uid: t.uid}
		}
		t.traits = now
	}
	if tt.lastKind != 0 {
		tt.known[ev.TGID] = t
	}
	return t
}

func (tt *taskTable) born(ev *taskwatch.Event) *task {
	t := &task{start: ev.Time, started: true, traits: traits{uid: -1}}
	if parent := tt.known[ev.ParentTGID]; parent != nil {
		t.traits = parent.traits
	} else if now, ok := readTraits(tt.root, ev.TGID); ok {
		t.traits = now
	}
	return t
}

// read looks a process up that began before we watched.
func (tt *taskTable) read(pid int) *task {
	t := &task{traits: traits{uid: -1}}
	if now, ok := readTraits(tt.root, pid); ok {
		t.traits = now
	}
	stat, err := os.ReadFile(filepath.Join(tt.root, strconv.Itoa(pid), "stat"))
	if err == nil {
		t.start, t.started = parseStartTime(stat, sys.SinceBoot()-sys.Now())
	}
	return t
}

// parseStartTime reads field 22 of a stat line, in ticks since boot, as a time
// on CLOCK_MONOTONIC, which suspended time is no part of.
func parseStartTime(stat []byte, suspended time.Duration) (time.Duration, bool) {
	at := bytes.LastIndexByte(stat, ')')
	if at < 0 {
		return 0, false
	}
	fields := bytes.Fields(stat[at+1:])
	if len(fields) < 20 {
		return 0, false
	}
	ticks, err := strconv.ParseInt(string(fields[19]), 10, 52)
	const tick = time.Second / 100 // USER_HZ
	return time.Duration(ticks)*tick - suspended, err == nil
}

// info is what an event tells beside its task.
func info(ev *taskwatch.Event) string {
	switch ev.Kind {
	case taskwatch.Fork:
		if ev.Thread() {
			return fmt.Sprintf("thread of %d", ev.TGID)
		}
	case taskwatch.UID, taskwatch.GID:
		return fmt.Sprintf("real %d effective %d", ev.Real, ev.Effective)
	case taskwatch.Ptrace:
		if ev.ParentTGID == 0 {
			return "tracer left"
		}
		return fmt.Sprintf("traced by %d", ev.ParentTGID)
	case taskwatch.Comm:
		return printable(ev.Comm())
	case taskwatch.Exit, taskwatch.Free:
		text := exitwait.Exit{Known: true, Status: ev.Status}.String()
		if ev.Thread() {
			return fmt.Sprintf("thread of %d: %s", ev.TGID, text)
		}
		return text
	case taskwatch.Lost:
		if ev.Count > 0 {
			return fmt.Sprintf("%d events lost here", ev.Count)
		}
		return "events lost by the kernel"
	}
	return ""
}
