package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/lmkd/lmkd/internal/sys/systest"
	"github.com/lmkd/lmkd/pkg/taskwatch"
)

// watched is a lmkd watch that runs beside the test.
type watched struct {
	*testing.T
	lines *bufio.Scanner
	stop  context.CancelFunc
	code  chan int
}

// startWatch starts a watch and waits until it is in the group, which its first
// line or, without one, an event of a process made for this shows.
func startWatch(t *testing.T, args ...string) *watched {
	t.Helper()
	r, out := io.Pipe()
	ctx, stop := context.WithCancel(context.Background())
	w := &watched{T: t, lines: bufio.NewScanner(r), stop: stop, code: make(chan int, 1)}
	go func() {
		cmd := newWatchCommand()
		cmd.SetOut(out)
		cmd.SetErr(io.Discard)
		cmd.SetArgs(args)
		code := exitDone
		if err := cmd.ExecuteContext(ctx); err != nil {
			code = exitFailed
		}
		w.code <- code
		_ = out.Close()
	}()
	t.Cleanup(func() { stop(); _ = r.Close() })
	return w
}

// line gives the next line that has all of the words.
func (w *watched) line(words ...string) string {
	w.Helper()
next:
	for w.lines.Scan() {
		for _, word := range words {
			if !strings.Contains(w.lines.Text(), word) {
				continue next
			}
		}
		return w.lines.Text()
	}
	w.Fatalf("the watch ended without a line with %q", words)
	return ""
}

func TestWatchShowsALife(t *testing.T) {
	w := startWatch(t, "--event", "all")
	w.line("TIME", "EVENT", "COMMAND")
	n := systest.New(t)
	pid, _ := n.Program()
	w.line("fork", fmt.Sprint(pid), fmt.Sprint(n.PID()))
	w.line("exec", fmt.Sprint(pid), "  program")
	n.Tell(pid, "exit 3")
	w.line("exit", fmt.Sprint(pid), "exit code 3", "  program")
	w.stop()
	w.line("events in")
	w.line("fork", "exec", "exit", "COMMAND")
	w.line("  all")
	if code := <-w.code; code != exitDone {
		t.Errorf("exit code %d", code)
	}
}

func TestWatchJSON(t *testing.T) {
	n := systest.New(t)
	pid := n.Fork()
	w := startWatch(t, "--event", "exit", "--json", "--pid", fmt.Sprint(pid))
	// Without a first line only the end of a process shows that we are in.
	ready := startWatch(t, "--event", "exit")
	ready.line("TIME")
	waitUntilWatched(t, w, n, pid)
	w.stop()
	var sum jsonSummary
	text := w.line(`"summary"`)
	if err := json.Unmarshal([]byte(text), &sum); err != nil || sum.Summary.Events["exit"] == 0 {
		t.Errorf("%s: %v", text, err)
	}
}

// waitUntilWatched lets pid be killed, and its successors, until one is seen.
func waitUntilWatched(t *testing.T, w *watched, n *systest.Nursery, pid int) {
	t.Helper()
	seen := make(chan jsonEvent, 1)
	go func() {
		var ev jsonEvent
		if w.lines.Scan() && json.Unmarshal(w.lines.Bytes(), &ev) == nil {
			seen <- ev
		}
		close(seen)
	}()
	for {
		n.Signal(pid, 9)
		n.Reap(pid)
		select {
		case ev := <-seen:
			// The name is what /proc told before the end: of so short a life, nothing.
			if ev.PID != pid || ev.Event != "exit" || ev.Signal != "SIGKILL" || ev.Parent != n.PID() {
				t.Errorf("%+v, want the killing of %d", ev, pid)
			}
			return
		default:
			n.ForkAs(pid)
		}
	}
}

func TestWatchFilters(t *testing.T) {
	v := newView(io.Discard, &watchOptions{pids: []int{10}}, taskwatch.All)
	v.o.match.comm = "^cc1$"
	if err := v.o.match.compile(); err != nil {
		t.Fatal(err)
	}
	cc1, other := &task{traits: traits{comm: "cc1"}}, &task{traits: traits{comm: "ld"}}
	for _, c := range []struct {
		ev   taskwatch.Event
		task *task
		want bool
	}{
		{taskwatch.Event{Kind: taskwatch.Exec, PID: 10, TGID: 10}, cc1, true},
		{taskwatch.Event{Kind: taskwatch.Exec, PID: 10, TGID: 10}, other, false},
		{taskwatch.Event{Kind: taskwatch.Exec, PID: 11, TGID: 11}, cc1, false},
		{taskwatch.Event{Kind: taskwatch.Fork, PID: 11, TGID: 11, ParentTGID: 10}, cc1, true},
		{taskwatch.Event{Kind: taskwatch.Exit, PID: 12, TGID: 10}, cc1, false}, // a thread
		{taskwatch.Event{Kind: taskwatch.UID, PID: 12, TGID: 10}, cc1, true},
		{taskwatch.Event{Kind: taskwatch.Lost}, other, true},
	} {
		if got := v.chosen(&c.ev, c.task); got != c.want {
			t.Errorf("%v of %s: %v, want %v", &c.ev, c.task.comm, got, c.want)
		}
	}
}

func TestWatchAsksForNoMoreThanNeeded(t *testing.T) {
	for asked, want := range map[taskwatch.Kind]taskwatch.Kind{
		taskwatch.Exec:                  taskwatch.Exec,
		taskwatch.UID | taskwatch.Fork:  taskwatch.UID | taskwatch.Fork,
		taskwatch.Exit:                  taskwatch.Exit | taskwatch.Fork | taskwatch.Exec | taskwatch.Comm,
		taskwatch.Free:                  taskwatch.Free | taskwatch.Exit | taskwatch.Fork | taskwatch.Exec | taskwatch.Comm,
		taskwatch.Comm | taskwatch.Lost: taskwatch.Comm | taskwatch.Lost,
	} {
		if got := needed(asked); got != want {
			t.Errorf("%v needs %v, want %v", asked, got, want)
		}
	}
}

func TestTaskTableForgets(t *testing.T) {
	for _, c := range []struct {
		kinds taskwatch.Kind
		last  taskwatch.Kind
	}{{taskwatch.Exit, taskwatch.Exit}, {taskwatch.Free, taskwatch.Free}} {
		tt := newTaskTable(t.TempDir(), c.kinds)
		tt.apply(&taskwatch.Event{Kind: taskwatch.Fork, PID: 7, TGID: 7, ParentTGID: 1, Time: time.Second})
		tt.apply(&taskwatch.Event{Kind: taskwatch.Comm, PID: 7, TGID: 7, Name: [16]byte{'c', 'c'}})
		got := tt.apply(&taskwatch.Event{Kind: taskwatch.Exit, PID: 7, TGID: 7, Time: 3 * time.Second})
		if c.last == taskwatch.Free {
			got = tt.apply(&taskwatch.Event{Kind: taskwatch.Free, PID: 7, TGID: 7, Time: 3 * time.Second})
		}
		if age, ok := got.age(3 * time.Second); got.comm != "cc" || !ok || age != 2*time.Second {
			t.Errorf("%v: %+v, age %v", c.kinds, got, age)
		}
		if len(tt.known) != 0 {
			t.Errorf("%v: remembers %v", c.kinds, tt.known)
		}
	}
	tt := newTaskTable(t.TempDir(), taskwatch.Exit)
	tt.apply(&taskwatch.Event{Kind: taskwatch.Comm, PID: 7, TGID: 7, Name: [16]byte{'c', 'c'}})
	got := tt.apply(&taskwatch.Event{Kind: taskwatch.Exec, PID: 7, TGID: 7})
	if got.comm != "" || got.command() != "?" {
		t.Errorf("after an exec that was read too late: %+v", got)
	}
	tt = newTaskTable(t.TempDir(), taskwatch.Exec)
	tt.apply(&taskwatch.Event{Kind: taskwatch.Exec, PID: 7, TGID: 7})
	if len(tt.known) != 0 {
		t.Errorf("without ends: remembers %v", tt.known)
	}
}

func TestWatchUsage(t *testing.T) {
	for _, c := range []struct{ args, says string }{
		{"--event fall", `"fall"`},
		{"--comm (", "--comm"},
		{"--uid x", "--uid"},
		{"--for x", "for"},
		{"1", "unknown command"},
	} {
		_, stderr, code := command(context.Background(), newWatchCommand(), strings.Fields(c.args)...)
		if code != exitUsage || !strings.Contains(stderr, c.says) {
			t.Errorf("watch %s: exit code %d, said %q; want %q", c.args, code, stderr, c.says)
		}
	}
}

func TestWatchElsewhere(t *testing.T) {
	if !systest.Again(t) {
		systest.Rerun(t, systest.InPidNamespace())
		systest.Rerun(t, systest.InNetNamespace())
		return
	}
	_, stderr, code := command(context.Background(), newWatchCommand(), "--for", "1ms")
	if code != exitPermitted || !strings.Contains(stderr, "namespace") {
		t.Errorf("exit code %d, said %q; want %d and the namespace", code, stderr, exitPermitted)
	}
}

func TestShortTime(t *testing.T) {
	for d, want := range map[time.Duration]string{
		1234 * time.Microsecond: "1.23ms", 45678 * time.Microsecond: "45.7ms", 1500 * time.Millisecond: "1.5s",
		45670 * time.Millisecond: "45.7s", 90 * time.Second: "1m30s", 3*time.Hour + 12*time.Minute: "3h12m", 0: "0s",
	} {
		if got := shortTime(d); got != want {
			t.Errorf("%v: %q, want %q", int64(d), got, want)
		}
	}
}

func TestParseStartTime(t *testing.T) {
	line := []byte("4711 () Z 1 () S 1 1 1 0 -1 64 0 0 0 0 0 0 0 0 20 0 1 0 250 3907584 512\n")
	if got, ok := parseStartTime(line, time.Second); !ok || got != 1500*time.Millisecond {
		t.Errorf("%v, %v", got, ok)
	}
	if _, ok := parseStartTime([]byte("4711 (x) S 1"), 0); ok {
		t.Error("a line that is cut is read")
	}
}

func FuzzParseStartTime(f *testing.F) {
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(stat)
	f.Fuzz(func(_ *testing.T, line []byte) { parseStartTime(line, 0) })
}
