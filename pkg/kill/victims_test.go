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
	"time"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/internal/sys/systest"
	"github.com/lmkd/lmkd/pkg/exitwait"
)

// partEnv holds the part that the test binary plays as a victim.
const partEnv = "KILL_TEST_PART"

// The main goroutine of a victim keeps the first thread, which one part lets
// die.
func init() {
	if os.Getenv(partEnv) != "" {
		runtime.LockOSThread()
	}
}

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == coreHelper {
		lingerOverCore(os.Args[2])
	}
	if part := os.Getenv(partEnv); part != "" {
		play(strings.Fields(part))
		os.Exit(0)
	}
	systest.Main(m)
}

// play does the part, says ready, and waits for the end of the test.
func play(part []string) {
	if part[0] == "wait" { // until the test has put us where it wants us
		_, _ = os.Stdin.Read(make([]byte, 1))
		part = part[1:]
	}
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
	case "visit": // N MB and a directory, in whose reading it hangs
		hold(n)
		fmt.Println("ready")
		_, err := os.ReadDir(part[2])
		fmt.Fprintln(os.Stderr, "read", err)
	case "crash": // N MB, with a core dump
		hold(n)
		if err := sys.SetCoreLimit(sys.Unlimited); err != nil {
			panic(err)
		}
		fmt.Println("ready")
		systest.Abort()
	case "forever":
		select {
		case <-make(chan int):
		case <-time.After(time.Hour):
		}
	case "spin":
		fmt.Println("ready")
		go func() {
			for i := 0; ; i++ {
				_ = i
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
	case "storm": // forks as fast as it can; a child ends by itself at once
		go func() {
			for {
				cmd := exec.Command("/proc/self/exe", "-test.run=^$")
				cmd.Env = append(os.Environ(), partEnv+"=hold 1")
				_ = cmd.Start()
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
	cmd, _, out, err := launch(part, nil)
	if err == nil {
		_, err = bufio.NewReader(out).ReadString('\n')
	}
	if err != nil {
		panic(fmt.Sprint(cmd, err))
	}
}

func launch(part string, world *systest.World) (*exec.Cmd, io.Writer, io.Reader, error) {
	cmd := exec.Command("/proc/self/exe", "-test.run=^$")
	cmd.Env = append(os.Environ(), partEnv+"="+part)
	if world != nil {
		cmd.SysProcAttr = &world.Sys
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, nil, nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, nil, err
	}
	cmd.Stderr = os.Stderr
	return cmd, in, out, cmd.Start()
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
// What is to be done with it before it plays is done while it waits.
func victim(t testing.TB, part string, before ...func(pid int)) prey {
	t.Helper()
	return raise(t, part, nil, before...)
}

// raise is victim with attributes of the process.
func raise(t testing.TB, part string, world *systest.World, before ...func(pid int)) prey {
	t.Helper()
	cmd, in, out, err := launch(part, world)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for _, f := range before {
		f(cmd.Process.Pid)
	}
	if strings.HasPrefix(part, "wait ") {
		_, _ = in.Write([]byte{'\n'})
	}
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

// reclaims reports whether this kernel has process_mrelease.
var reclaims = sys.Mrelease.Probe() == nil

// reclaimSays is what a reclaim answers where a kernel that has one says e.
func reclaimSays(e sys.Errno) sys.Errno {
	if !reclaims {
		return sys.ENOSYS
	}
	return e
}

// sleeper is a process that waits for its end; the guests have no sleep(1).
func sleeper() *exec.Cmd {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), partEnv+"=forever")
	return cmd
}
