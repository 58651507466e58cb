package kill_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/internal/sys/systest"
	"github.com/lmkd/lmkd/pkg/exitwait"
)

// partEnv holds the part that the test binary plays as a victim.
const partEnv = "KILL_TEST_PART"

func TestMain(m *testing.M) {
	if part := os.Getenv(partEnv); part != "" {
		play(strings.Fields(part))
		os.Exit(0)
	}
	systest.Main(m)
}

// play does the part, says ready, and waits for the end of the test.
func play(part []string) {
	n := 0
	if len(part) > 1 {
		n, _ = strconv.Atoi(part[1])
	}
	switch part[0] {
	case "hold": // N MB
		hold(n)
	case "deaf": // to SIGTERM
		signal.Ignore(sys.TerminationSignals...)
		hold(n)
	case "threads":
		hold(64)
		crowd(n)
	case "headless": // the leader ends, the others live
		hold(n)
		go func() { serve() }()
		systest.EndThread()
	case "twin", "vfork":
		hold(n)
		go systest.MakeTwin(part[0] == "vfork")
		for children() == 0 {
			runtime.Gosched()
		}
	case "sleep": // in whatever reading the file means
		go func() {
			fmt.Println("ready")
		}()
		_, err := os.ReadDir(part[1])
		fmt.Println("read", err)
	case "spin":
		fmt.Println("ready")
		go func() {
			for {
			}
		}()
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	case "forks": // N children, each with one of its own
		hold(8)
		for range n {
			brood("fork1")
		}
	case "fork1":
		hold(32)
		brood("hold 1")
	case "storm": // forks as fast as it can
		go func() {
			for {
				_ = exec.Command("/proc/self/exe", "-test.run=^$").Start()
			}
		}()
	}
	serve()
}

func serve() {
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

// hold fills n MB that the runtime knows nothing of.
func hold(n int) {
	if n == 0 {
		return
	}
	b, err := sys.MapPages(n << 20)
	if err != nil {
		panic(err)
	}
	for i := 0; i < len(b); i += os.Getpagesize() {
		b[i] = 1
	}
}

// crowd starts n threads.
func crowd(n int) {
	started := make(chan struct{})
	for range n {
		go func() {
			runtime.LockOSThread()
			started <- struct{}{}
			select {}
		}()
	}
	for range n {
		<-started
	}
}

// brood starts a child that plays a part and is ready.
func brood(part string) {
	cmd, out, err := launch(part)
	if err == nil {
		_, err = bufio.NewReader(out).ReadString('\n')
	}
	if err != nil {
		panic(fmt.Sprint(cmd, err))
	}
}

func launch(part string) (*exec.Cmd, io.Reader, error) {
	cmd := exec.Command("/proc/self/exe", "-test.run=^$")
	cmd.Env = append(os.Environ(), partEnv+"="+part)
	if _, err := cmd.StdinPipe(); err != nil {
		return nil, nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	cmd.Stderr = os.Stderr
	return cmd, out, cmd.Start()
}

// children counts those of this process.
func children() (n int) {
	entries, _ := os.ReadDir("/proc/self/task")
	for _, e := range entries {
		text, _ := os.ReadFile("/proc/self/task/" + e.Name() + "/children")
		n += len(strings.Fields(string(text)))
	}
	return n
}

// prey is a victim that a test started: its own child, not yet waited for.
type prey struct {
	cmd *exec.Cmd
	*exitwait.Process
}

// victim starts a process that plays a part, and is ready.
func victim(t testing.TB, part string) prey {
	t.Helper()
	cmd, out, err := launch(part)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("%q said %q: %v", part, line, err)
	}
	p, err := exitwait.Open(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return prey{cmd, p}
}

// living fails the test unless p runs.
func living(t testing.TB, p *exitwait.Process) {
	t.Helper()
	if _, err := p.TryWait(); err != exitwait.ErrRunning {
		t.Fatalf("process %d: %v, want it running", p.PID(), err)
	}
}
