package systest

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// Nursery is a process that has children for a test, so that they are strangers
// to the test itself. Every method ends the test when it fails. Children left
// at the end of the test are killed.
type Nursery struct {
	tb      testing.TB
	process *os.Process
	in      *os.File
	out     *bufio.Reader
}

// New starts a nursery for the test.
func New(tb testing.TB) *Nursery {
	tb.Helper()
	r, in, err := os.Pipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, w, err := os.Pipe()
	if err != nil {
		tb.Fatal(err)
	}
	p, err := os.StartProcess("/proc/self/exe", []string{"nursery"}, &os.ProcAttr{
		Env:   append([]string{roleEnv + "=nursery"}, os.Environ()...),
		Files: []*os.File{r, w, os.Stderr},
	})
	_, _ = r.Close(), w.Close()
	if err != nil {
		tb.Fatal(err)
	}
	n := &Nursery{tb: tb, process: p, in: in, out: bufio.NewReaderSize(out, 1<<16)}
	tb.Cleanup(func() {
		_ = p.Kill()
		_, _ = p.Wait()
		_, _ = in.Close(), out.Close()
	})
	return n
}

// PID gives the nursery's own pid.
func (n *Nursery) PID() int { return n.process.Pid }

// try sends one command: the answer, or the error that it met.
func (n *Nursery) try(format string, args ...any) (string, error) {
	if _, err := fmt.Fprintf(n.in, format+"\n", args...); err != nil {
		return "", err
	}
	answer, err := n.out.ReadString('\n')
	if err != nil {
		return "", err
	}
	answer = strings.TrimSuffix(answer, "\n")
	if text, bad := strings.CutPrefix(answer, "error "); bad {
		return "", fmt.Errorf("%s", text)
	}
	return answer, nil
}

func (n *Nursery) do(format string, args ...any) string {
	n.tb.Helper()
	answer, err := n.try(format, args...)
	if err != nil {
		n.tb.Fatalf("nursery: %s: %v", fmt.Sprintf(format, args...), err)
	}
	return answer
}

func (n *Nursery) number(format string, args ...any) int {
	n.tb.Helper()
	answer := n.do(format, args...)
	var v int
	if _, err := fmt.Sscan(answer, &v); err != nil {
		n.tb.Fatalf("nursery: answer %q: %v", answer, err)
	}
	return v
}

// Fork makes a small child that sleeps until Exit, and gives its pid.
func (n *Nursery) Fork() int {
	n.tb.Helper()
	return n.number("fork 0")
}

// ForkAs makes a child whose pid is the given one, which must be free: the
// reuse of a pid, forced.
func (n *Nursery) ForkAs(pid int) {
	n.tb.Helper()
	n.do("fork %d", pid)
}

// Crowd makes count children, and gives their pids.
func (n *Nursery) Crowd(count int) []int {
	n.tb.Helper()
	answer := strings.Trim(n.do("crowd %d", count), "[]")
	pids := make([]int, 0, count)
	for _, field := range strings.Fields(answer) {
		var pid int
		_, _ = fmt.Sscan(field, &pid)
		pids = append(pids, pid)
	}
	return pids
}

// Release lets count of the crowd exit with code 0.
func (n *Nursery) Release(count int) {
	n.tb.Helper()
	n.do("release %d", count)
}

// Exit tells a forked child to exit with code.
func (n *Nursery) Exit(pid, code int) {
	n.tb.Helper()
	n.do("exit %d %d", pid, code)
}

// Stamp gives the CLOCK_MONOTONIC at which a forked child went to exit.
func (n *Nursery) Stamp(pid int) time.Duration {
	n.tb.Helper()
	return time.Duration(n.number("stamp %d", pid))
}

// Signal sends a signal to a child.
func (n *Nursery) Signal(pid, sig int) {
	n.tb.Helper()
	n.do("signal %d %d", pid, sig)
}

// Reap waits for the exit of a child, which is no zombie then: its wait status.
func (n *Nursery) Reap(pid int) uint32 {
	n.tb.Helper()
	return uint32(n.number("reap %d", pid))
}

// AutoReap lets the kernel reap all children at their exit.
func (n *Nursery) AutoReap() {
	n.tb.Helper()
	n.do("autoreap")
}

// Forks makes count children as a program that starts others does, each of which
// exits at once and is reaped before the next: how long that took.
func (n *Nursery) Forks(count int) time.Duration {
	n.tb.Helper()
	return time.Duration(n.number("forks %d", count))
}

// Program starts a child of several threads, see Tell, and gives its pid and
// the id of a thread that is not its leader.
func (n *Nursery) Program() (pid, tid int) {
	n.tb.Helper()
	pid = n.number("program")
	return pid, n.Ready(pid)
}

// Ready waits for the program to say that it is ready, after its start or an
// exec: the id of a thread that is not its leader.
func (n *Nursery) Ready(pid int) (tid int) {
	n.tb.Helper()
	line := n.Hear(pid)
	if _, err := fmt.Sscanf(line, "ready %d", &tid); err != nil {
		n.tb.Fatalf("program %d said %q, want ready", pid, line)
	}
	return tid
}

// Tell gives a program a command, for its thread that is not the leader: "exec"
// to become a new program, "leave" to let the leader die (it says "ok"), "uid N"
// and "gid N" to change the thread's effective ids, "session" to begin one, "name
// NAME" to rename the thread, "abort" to dump core, "exit N".
func (n *Nursery) Tell(pid int, command string) {
	n.tb.Helper()
	n.do("tell %d %q", pid, command)
}

// Signals has a program send its leader thread a signal count times, which that
// handles each time before the next: how long that took.
func (n *Nursery) Signals(pid, count int) time.Duration {
	n.tb.Helper()
	n.Tell(pid, fmt.Sprint("signals ", count))
	var ns int64
	if _, err := fmt.Sscan(n.Hear(pid), &ns); err != nil {
		n.tb.Fatal(err)
	}
	return time.Duration(ns)
}

// Hear reads a line that the program says.
func (n *Nursery) Hear(pid int) string {
	n.tb.Helper()
	var line string
	if _, err := fmt.Sscanf(n.do("hear %d", pid), "%q", &line); err != nil {
		n.tb.Fatal(err)
	}
	return strings.TrimSuffix(line, "\n")
}
