package guest

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/test/vm/wire"
)

// Hogs is the program test/hogs, which the runner always ships.
const Hogs = wire.BinDir + "/hogs"

// Process is a child and what it said.
type Process struct {
	Name   string
	PID    int
	Exited chan struct{} // closed when the child was reaped

	cmd   *exec.Cmd
	said  chan struct{} // gets a token at each line
	mu    sync.Mutex
	lines []string
	err   error
}

// Hog starts a hog, under a name of its own: Hog("editor", "innocent", "-mb",
// "20"). The lines it writes are kept, and what it complains about goes to the
// job's own standard error.
func Hog(name string, args ...string) (*Process, error) {
	cmd := exec.Command(Hogs, args...)
	cmd.Args[0] = name
	return start(name, cmd, nil)
}

// Program starts any other program, with the oom_score_adj adj; what it says
// on both its outputs is kept and copied to w (nil for nowhere).
func Program(w io.Writer, adj int, path string, args ...string) (*Process, error) {
	all := append([]string{"run", "-adj", strconv.Itoa(adj), path}, args...)
	return start(path, exec.Command(Hogs, all...), w)
}

func start(name string, cmd *exec.Cmd, w io.Writer) (*Process, error) {
	p := &Process{Name: name, Exited: make(chan struct{}), cmd: cmd, said: make(chan struct{}, 1)}
	r, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	cmd.Stderr = os.Stderr
	if w != nil {
		cmd.Stderr = cmd.Stdout
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p.PID = cmd.Process.Pid
	go p.listen(r, w)
	return p, nil
}

// listen keeps the child's lines until it closes its output, then reaps it.
func (p *Process) listen(r io.Reader, w io.Writer) {
	in := bufio.NewScanner(r)
	for in.Scan() {
		p.mu.Lock()
		p.lines = append(p.lines, in.Text())
		p.mu.Unlock()
		if w != nil {
			fmt.Fprintln(w, in.Text())
		}
		select {
		case p.said <- struct{}{}:
		default:
		}
	}
	err := p.cmd.Wait()
	p.mu.Lock()
	p.err = err
	p.mu.Unlock()
	close(p.Exited)
}

// Lines gives what the process has said until now.
func (p *Process) Lines() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.lines)
}

// WaitLine waits up to limit until the process has said a line that contains
// text. A process that ended, or was silent, is an error.
func (p *Process) WaitLine(text string, limit time.Duration) error {
	late := time.After(limit)
	for {
		if slices.ContainsFunc(p.Lines(), func(l string) bool { return strings.Contains(l, text) }) {
			return nil
		}
		select {
		case <-p.said:
		case <-p.Exited:
			return fmt.Errorf("%s ended before it said %q: %s", p.Name, text, p.Fate())
		case <-late:
			return fmt.Errorf("%s did not say %q in %s", p.Name, text, limit)
		}
	}
}

// WaitReady waits until a hog has said that it is in place.
func (p *Process) WaitReady(limit time.Duration) error { return p.WaitLine("ready", limit) }

// Alive reports whether the child has not been reaped.
func (p *Process) Alive() bool {
	select {
	case <-p.Exited:
		return false
	default:
		return true
	}
}

// WaitExit waits up to limit for the child's end.
func (p *Process) WaitExit(limit time.Duration) error {
	select {
	case <-p.Exited:
		return nil
	case <-time.After(limit):
		return fmt.Errorf("%s lived for another %s", p.Name, limit)
	}
}

// Fate says how the child ended: "alive", "exit status 1", "signal: killed".
func (p *Process) Fate() string {
	if p.Alive() {
		return "alive"
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return p.err.Error()
	}
	return "exit status 0"
}

// WorstBeat gives the longest delay that an innocent hog has reported, and how
// often it reported at all.
func (p *Process) WorstBeat() (worst time.Duration, reports int) {
	for _, line := range p.Lines() {
		_, us, ok := strings.Cut(line, " worst ")
		n, err := strconv.ParseInt(us, 10, 64)
		if ok && err == nil {
			worst, reports = max(worst, time.Duration(n)*time.Microsecond), reports+1
		}
	}
	return worst, reports
}

// Kill ends the child with SIGKILL and waits for it; one that ended is fine.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.Exited
}

// Terminate sends SIGTERM.
func (p *Process) Terminate() error { return p.cmd.Process.Signal(sys.SignalTerminate) }

// ProtectSelf takes the driver of a scenario out of the game: no OOM killer
// chooses it, and its touched pages stay in memory. Hog and Program undo the
// first for what they start.
func ProtectSelf() error {
	if err := os.WriteFile("/proc/self/oom_score_adj", []byte("-1000"), 0); err != nil {
		return fmt.Errorf("protect the driver: %w", err)
	}
	return sys.LockMemory()
}
