package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/lmkd/lmkd/internal/sys/systest"
)

func TestMain(m *testing.M) { systest.Main(m) }

// command runs one command as main does: what it prints, and its exit code.
func command(ctx context.Context, cmd *cobra.Command, args ...string) (stdout, stderr string, code int) {
	var out, notes bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&notes)
	cmd.SetArgs(args)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	err := cmd.ExecuteContext(ctx)
	var e *exitError
	switch {
	case err == nil:
		return out.String(), notes.String(), exitDone
	case errors.As(err, &e):
		code = e.code
	default:
		code = exitUsage
	}
	return out.String(), notes.String() + err.Error(), code
}

// waiter is a lmkd wait that runs beside the test.
type waiter struct {
	done           chan struct{}
	stdout, stderr string
	code           int
}

func startWait(args ...string) *waiter {
	w := &waiter{done: make(chan struct{})}
	go func() {
		defer close(w.done)
		w.stdout, w.stderr, w.code = command(context.Background(), newWaitCommand(), args...)
	}()
	return w
}

func (w *waiter) end(t *testing.T, code int, stdout string) {
	t.Helper()
	<-w.done
	if w.code != code || w.stdout != stdout {
		t.Errorf("exit code %d, printed %q, said %q; want code %d, %q", w.code, w.stdout, w.stderr, code, stdout)
	}
}

func TestWaitStatus(t *testing.T) {
	n := systest.New(t)
	a, b, c := n.Fork(), n.Fork(), n.Fork()
	w := startWait("--status", fmt.Sprint(a), fmt.Sprint(b), fmt.Sprint(c))
	n.Exit(a, 3)
	n.Exit(b, 2)
	n.Signal(c, 9)
	<-w.done
	lines := strings.Split(strings.TrimSpace(w.stdout), "\n")
	want := []string{fmt.Sprint(a, " exit code 3"), fmt.Sprint(b, " exit code 2"), fmt.Sprint(c, " killed by SIGKILL")}
	slices.Sort(lines)
	slices.Sort(want)
	if w.code != exitDone || !reflect.DeepEqual(lines, want) {
		t.Errorf("exit code %d, printed %q, said %q; want %q", w.code, lines, w.stderr, want)
	}
}

func TestWaitForSome(t *testing.T) {
	n := systest.New(t)
	var pids []string
	for range 3 {
		pids = append(pids, fmt.Sprint(n.Fork()))
	}
	first, two := startWait(append(pids, "--any", "--status")...), startWait(append(pids, "--count", "2")...)
	pid, _ := strconv.Atoi(pids[1])
	n.Exit(pid, 4)
	first.end(t, exitDone, pids[1]+" exit code 4\n")
	pid, _ = strconv.Atoi(pids[0])
	n.Exit(pid, 0)
	two.end(t, exitDone, "")
}

func TestWaitTimesOut(t *testing.T) {
	n := systest.New(t)
	a, b := n.Fork(), n.Fork()
	n.Exit(a, 0)
	n.Reap(a)
	startWait("--timeout", "0", fmt.Sprint(b)).end(t, exitTimeout, "")
	startWait("-t", "0.001", fmt.Sprint(b)).end(t, exitTimeout, "")
	w := startWait("-t", "1ms", "-e", "-v", fmt.Sprint(a), fmt.Sprint(b))
	w.end(t, exitTimeout, "")
	if !strings.Contains(w.stderr, "1 still running") {
		t.Errorf("said %q", w.stderr)
	}
	w = startWait("-t", "0", "--json", "-e", fmt.Sprint(a), fmt.Sprint(b))
	w.end(t, exitTimeout, fmt.Sprintf(`{"pid":%d,"exited":true,"gone_before":true,"status_known":false}
{"pid":%d,"exited":false,"status_known":false}
`, a, b))
	n.Exit(b, 0)
	startWait("--timeout", "5s", fmt.Sprint(b)).end(t, exitDone, "")
	startWait("--timeout", "0", fmt.Sprint(b)).end(t, exitDone, "") // an exit wins over a timeout
}

func TestWaitOfTheGone(t *testing.T) {
	n := systest.New(t)
	pid := n.Fork()
	n.Exit(pid, 0)
	n.Reap(pid)
	w := startWait(fmt.Sprint(pid))
	w.end(t, exitFailed, "")
	if want := fmt.Sprintf("reopen process %d: no such process", pid); w.stderr != want {
		t.Errorf("said %q, want %q", w.stderr, want)
	}
	startWait("--exited", fmt.Sprint(pid)).end(t, exitDone, "")
}

func TestWaitByHandle(t *testing.T) {
	for _, backend := range []string{"auto", "pidfd", "connector", "ptrace", "poll"} {
		n := systest.New(t)
		pid := n.Fork()
		printed := startWait("--print-handle", fmt.Sprint(pid))
		<-printed.done
		handle := strings.TrimSpace(printed.stdout)
		if printed.code != exitDone || !strings.HasPrefix(handle, fmt.Sprint(pid)+":") {
			t.Fatalf("handle %q, said %q", handle, printed.stderr)
		}
		args := []string{"--status", "--backend", backend, handle}
		if backend == "poll" {
			args = append(args, "--interval", "1ms")
		}
		w := startWait(args...)
		n.Exit(pid, 5)
		w.end(t, exitDone, fmt.Sprintf("%d exit code 5\n", pid))
		n.Reap(pid)
		startWait(handle).end(t, exitFailed, "")
		startWait("-e", handle).end(t, exitDone, "")
	}
}

func TestWaitJSON(t *testing.T) {
	n := systest.New(t)
	a, b := n.Fork(), n.Fork()
	w := startWait("--json", fmt.Sprint(a))
	n.Exit(a, 2)
	w.end(t, exitDone, fmt.Sprintf(`{"pid":%d,"exited":true,"status_known":true,"code":2}`+"\n", a))
	w = startWait("--json", fmt.Sprint(b))
	n.Signal(b, 9)
	w.end(t, exitDone, fmt.Sprintf(`{"pid":%d,"exited":true,"status_known":true,"signal":"SIGKILL"}`+"\n", b))
	w = startWait("--json", "--print-handle", fmt.Sprint(os.Getpid()))
	<-w.done
	var h struct {
		PID    int
		Handle string
	}
	if err := json.Unmarshal([]byte(w.stdout), &h); err != nil || h.PID != os.Getpid() || h.Handle == "" {
		t.Errorf("%q: %+v, %v", w.stdout, h, err)
	}
}

func TestWaitByPattern(t *testing.T) {
	n := systest.New(t)
	pid, _ := n.Program()
	w := startWait("--cmdline", "^program$", "--comm", "^exe$", "--uid", "0", "--json", "--timeout", "0")
	<-w.done
	if !strings.Contains(w.stdout, fmt.Sprintf(`{"pid":%d,"exited":false,`, pid)) || strings.Contains(w.stdout, fmt.Sprintf(`{"pid":%d,`, n.PID())) {
		t.Errorf("printed %q, said %q; want %d, and not its parent %d", w.stdout, w.stderr, pid, n.PID())
	}
	w = startWait("--comm", "^no such name$")
	w.end(t, exitFailed, "")
	if w.stderr != "no process matches" {
		t.Errorf("said %q", w.stderr)
	}
}

func TestWaitUsage(t *testing.T) {
	for _, c := range []struct{ args, says string }{
		{"", "which process"},
		{"x", `handle "x"`},
		{"1:2:3", `handle "1:2:3"`},
		{"--count 2 1", "--count 2: there are 1"},
		{"--count -1 1", "--count -1"},
		{"--any --count 1 1", "any count"},
		{"--timeout -1 1", "timeout"},
		{"--timeout x 1", "timeout"},
		{"--backend smoke 1", `"smoke"`},
		{"--backend poll 1", "--interval"},
		{"--comm ( 1", "--comm"},
		{"--cmdline ( 1", "--cmdline"},
		{"--uid root 1", "--uid root"},
		{"--nonsense 1", "nonsense"},
	} {
		_, stderr, code := command(context.Background(), newWaitCommand(), strings.Fields(c.args)...)
		if code != exitUsage || !strings.Contains(stderr, c.says) {
			t.Errorf("wait %s: exit code %d, said %q; want %q", c.args, code, stderr, c.says)
		}
	}
}

// TestWaitNotPermitted: tracing root's process is not for everybody.
func TestWaitNotPermitted(t *testing.T) {
	if systest.Again(t) {
		w := startWait("--backend", "ptrace", os.Getenv("WAIT_PID"))
		w.end(t, exitPermitted, "")
		t.Log(w.stderr)
		return
	}
	n := systest.New(t)
	world := systest.WithoutRoot()
	world.Env = append(world.Env, "WAIT_PID="+fmt.Sprint(n.Fork()))
	systest.Rerun(t, world)
}

// TestWaitBesideItsPeers runs util-linux' waitpid (2.39) and procps' pidwait, as
// far as they are installed, on the same processes.
func TestWaitBesideItsPeers(t *testing.T) {
	for _, c := range []struct {
		name          string
		ours, waitpid string // with two pids appended; "" when the peer cannot do it
		pidwait       bool   // pidwait waits for all children of a parent
		before        func(*systest.Nursery, int, int)
		after         func(*systest.Nursery, int, int)
		code          int
	}{
		{"both exit", "", "", true, nil, exitBoth, 0},
		{"both are zombies", "", "", true, exitBoth, nil, 0},
		{"one has gone", "", "", false, goneFirst, exitSecond, 1},
		{"one has gone, which is no error", "--exited", "--exited", true, goneFirst, exitSecond, 0},
		{"one is enough", "--count 1", "--count 1", false, nil, exitSecond, 0},
		{"time runs out", "--timeout 0.05", "--timeout 0.05", false, nil, nil, 3},
		{"stopped and killed", "", "", true, stopBoth, killBoth, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := systest.New(t)
			a, b := n.Fork(), n.Fork()
			if c.before != nil {
				c.before(n, a, b)
			}
			pids := []string{fmt.Sprint(a), fmt.Sprint(b)}
			ours := startWait(append(strings.Fields(c.ours), pids...)...)
			var peers []*exec.Cmd
			peers = startPeer(t, peers, "waitpid", append(strings.Fields(c.waitpid), pids...)...)
			if c.pidwait {
				peers = startPeer(t, peers, "pidwait", "-P", fmt.Sprint(n.PID()))
			}
			if c.after != nil {
				c.after(n, a, b)
			}
			ours.end(t, c.code, "")
			for _, p := range peers {
				_ = p.Wait()
				if got := p.ProcessState.ExitCode(); got != c.code {
					t.Errorf("%v ends with %d, ours with %d", p.Args, got, c.code)
				}
			}
		})
	}
}

func exitBoth(n *systest.Nursery, a, b int)   { n.Exit(a, 0); n.Exit(b, 0) }
func exitSecond(n *systest.Nursery, _, b int) { n.Exit(b, 0) }
func goneFirst(n *systest.Nursery, a, _ int)  { n.Exit(a, 0); n.Reap(a) }
func stopBoth(n *systest.Nursery, a, b int)   { n.Signal(a, 19); n.Signal(b, 19) }
func killBoth(n *systest.Nursery, a, b int)   { n.Signal(a, 9); n.Signal(b, 9) }

// startPeer starts a peer, if it is here.
func startPeer(t *testing.T, peers []*exec.Cmd, name string, args ...string) []*exec.Cmd {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Logf("%s is not installed here: only ours was run", name)
		return peers
	}
	p := exec.Command(name, args...)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Process.Kill() })
	return append(peers, p)
}

func TestSeconds(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"5": 5 * time.Second, "0.25": 250 * time.Millisecond, "5s": 5 * time.Second, "200ms": 200 * time.Millisecond, "0": 0,
	} {
		var s seconds
		if err := s.Set(text); err != nil || time.Duration(s) != want {
			t.Errorf("%q: %v, %v; want %v", text, &s, err, want)
		}
	}
	for _, text := range []string{"", "-1", "-1s", "x", "NaN", "Inf", "1e300"} {
		var s seconds
		if err := s.Set(text); err == nil {
			t.Errorf("%q: %v, want a refusal", text, &s)
		}
	}
}

func TestParseUID(t *testing.T) {
	if got := parseUID([]byte("Name:\tx\nUid:\t1000\t1001\t1000\t1000\nGid:\t1\n")); got != 1000 {
		t.Errorf("uid %d", got)
	}
	for _, bad := range []string{"", "Uid:\t1\t", "\nUid:\tx\t1"} {
		if got := parseUID([]byte(bad)); got != -1 {
			t.Errorf("%q: %d", bad, got)
		}
	}
}

func FuzzParseUID(f *testing.F) {
	f.Add([]byte("Name:\tx\nUid:\t1000\t1001\t1000\t1000\n"))
	f.Fuzz(func(_ *testing.T, status []byte) { parseUID(status) })
}
