package systest

import (
	"bufio"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ward is a child of the nursery: a sleeper behind a gate, or a program.
type ward struct {
	gate  *os.File // a byte, or lines, for it
	heard *bufio.Reader
	slot  int // of its stamp
}

type wards = map[int]*ward

// home is the state of a nursery.
type home struct {
	wards  wards
	stamps []int64
	used   int
	shared [2]*os.File // the gate of a crowd
}

const slots = 1 << 15

// nursery obeys, line by line, until its standard input ends, and then takes
// all its children with it.
func nursery() {
	h := &home{wards: wards{}}
	var err error
	if h.stamps, err = stamps(slots); err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		answer, err := h.obey(in.Text())
		if err != nil {
			answer = "error " + err.Error()
		}
		fmt.Println(answer)
	}
	os.Exit(0)
}

// obey does one command and gives the answer.
func (h *home) obey(line string) (string, error) {
	var word, text string
	var a, b int
	_, _ = fmt.Sscan(line, &word, &a, &b)
	switch word {
	case "fork":
		return h.fork(a)
	case "crowd":
		return h.crowd(a)
	case "forks":
		return h.forks(a)
	case "release":
		return "ok", write(h.shared[1], make([]byte, a))
	case "exit":
		return "ok", write(h.wards[a].gate, []byte{byte(b)})
	case "stamp":
		return fmt.Sprint(h.stamps[h.wards[a].slot]), nil
	case "signal":
		return "ok", unix.Kill(a, unix.Signal(b))
	case "reap":
		return reap(a)
	case "autoreap":
		signal.Ignore(unix.SIGCHLD)
		return "ok", nil
	case "program":
		return h.program()
	case "tell":
		_, _ = fmt.Sscanf(line, "tell %d %q", &a, &text)
		return "ok", write(h.wards[a].gate, []byte(text+"\n"))
	case "hear":
		text, err := h.wards[a].heard.ReadString('\n')
		return fmt.Sprintf("%q", text), err
	}
	return "", fmt.Errorf("no such command: %q", line)
}

func write(f *os.File, b []byte) error {
	_, err := f.Write(b)
	return err
}

func (h *home) fork(pid int) (string, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return "", err
	}
	defer r.Close()
	child, err := h.child(r, pid)
	if err != nil {
		return "", err
	}
	h.wards[child].gate = w
	return fmt.Sprint(child), nil
}

// child forks one sleeper behind gate.
func (h *home) child(gate *os.File, pid int) (int, error) {
	child, e := fork(int(gate.Fd()), &h.stamps[h.used%slots], pid)
	if e != 0 {
		return 0, e
	}
	h.wards[child] = &ward{slot: h.used % slots}
	h.used++
	return child, nil
}

// crowd forks n sleepers behind one gate.
func (h *home) crowd(n int) (string, error) {
	if h.shared[0] == nil {
		r, w, err := os.Pipe()
		if err != nil {
			return "", err
		}
		h.shared = [2]*os.File{r, w}
	}
	pids := make([]int, n)
	for i := range pids {
		var err error
		if pids[i], err = h.child(h.shared[0], 0); err != nil {
			return "", fmt.Errorf("fork %d of %d: %w", i, n, err)
		}
	}
	return fmt.Sprint(pids), nil
}

// forks makes n children as a program that starts others does (vfork), one
// after the other; each exits at once, having nothing to execute.
func (h *home) forks(n int) (string, error) {
	begin := time.Now()
	for range n {
		if _, err := syscall.ForkExec("/none", []string{"none"}, &syscall.ProcAttr{}); err != unix.ENOENT {
			return "", fmt.Errorf("fork and fail to execute: %w", err)
		}
	}
	return fmt.Sprint(int64(time.Since(begin))), nil
}

func reap(pid int) (string, error) {
	var status unix.WaitStatus
	for {
		_, err := unix.Wait4(pid, &status, 0, nil)
		if err != unix.EINTR {
			return fmt.Sprint(uint32(status)), err
		}
	}
}

func (h *home) program() (string, error) {
	r, in, err := os.Pipe()
	if err != nil {
		return "", err
	}
	out, w, err := os.Pipe()
	if err != nil {
		return "", err
	}
	defer r.Close()
	defer w.Close()
	p, err := os.StartProcess("/proc/self/exe", []string{"program"}, &os.ProcAttr{
		Env:   append([]string{roleEnv + "=program"}, os.Environ()...),
		Files: []*os.File{r, w, os.Stderr},
		Sys:   &unix.SysProcAttr{Pdeathsig: unix.SIGKILL},
	})
	if err != nil {
		return "", err
	}
	h.wards[p.Pid] = &ward{gate: in, heard: bufio.NewReader(out)}
	return fmt.Sprint(p.Pid), nil
}
