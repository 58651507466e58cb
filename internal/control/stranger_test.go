package control

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/lmkd/lmkd/internal/boxtest"
	"github.com/lmkd/lmkd/internal/sys/systest"
)

// strangerKey makes the test binary a client, which sends the packets that it
// reads as lines of words.
const strangerKey = "LMKD_CONTROL_CLIENT"

func TestMain(m *testing.M) {
	if path := os.Getenv(strangerKey); path != "" {
		if err := playStranger(path); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if os.Getenv(sleeperJob) != "" {
		boxtest.Wait()
		time.Sleep(time.Hour) // until the test ends it
	}
	os.Exit(m.Run())
}

func playStranger(path string) error {
	c, err := net.DialUnix("unixpacket", nil, &net.UnixAddr{Name: path, Net: "unixpacket"})
	if err != nil {
		return err
	}
	// Children for it to register: of its own user.
	child := exec.Command("sleep", "1000")
	if err := child.Start(); err != nil {
		return err
	}
	defer func() { _ = child.Process.Kill(); _ = child.Wait() }()
	fmt.Println(child.Process.Pid)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var packet []byte
		for _, w := range strings.Fields(lines.Text()) {
			var v int32
			if _, err := fmt.Sscan(w, &v); err != nil {
				return err
			}
			packet = binary.BigEndian.AppendUint32(packet, uint32(v))
		}
		settle := binary.BigEndian.AppendUint32(nil, 4)
		settle = append(settle, make([]byte, 8)...)
		for _, p := range [][]byte{packet, settle} {
			if _, err := c.Write(p); err != nil {
				return err
			}
		}
		if _, err := c.Read(make([]byte, 64)); err != nil {
			return err
		}
		fmt.Println("done")
	}
	return nil
}

// process is a client in another process.
type process struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *bufio.Reader
	child int32 // a process of its own user, that sleeps
}

// stranger starts one as this user, or as nobody.
func stranger(t *testing.T, path string, nobody ...bool) *process {
	t.Helper()
	c := &process{cmd: exec.Command("/proc/self/exe")}
	c.cmd.Env = append(os.Environ(), strangerKey+"="+path)
	c.cmd.Stderr = os.Stderr
	if len(nobody) > 0 {
		world := systest.WithoutRoot()
		c.cmd.SysProcAttr = &world.Sys
	}
	var err error
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.out = bufio.NewReader(out)
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.in.Close(); _ = c.cmd.Wait() })
	if _, err := fmt.Fscanln(c.out, &c.child); err != nil {
		t.Fatal(err)
	}
	return c
}

// send sends one packet and waits until the server has done what it asks.
func (c *process) send(t *testing.T, words ...int32) {
	t.Helper()
	if _, err := fmt.Fprintln(c.in, strings.Trim(fmt.Sprint(words), "[]")); err != nil {
		t.Fatal(err)
	}
	line, err := c.out.ReadString('\n')
	if err != nil || line != "done\n" {
		t.Fatalf("%q, %v", line, err)
	}
}

// end ends the process.
func (c *process) end(t *testing.T) {
	t.Helper()
	if err := c.in.Close(); err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Wait(); err != nil {
		t.Fatal(err)
	}
}

// Who is not trusted may raise the oom_score_adj of its own processes, and nothing
// else.
func TestUntrusted(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not root")
	}
	s := serve(t)
	open(t, s.path)
	c := stranger(t, s.path, true)
	mine := pidOf(sleeper(t))
	nobody := int32(65534)
	for _, tt := range []struct {
		words []int32
		said  string
	}{
		{[]int32{1, mine, nobody, 900}, fmt.Sprintf("pid %d belongs to uid 0, and uid 65534 is not trusted", mine)},
		{[]int32{1, c.child, 0, 900}, fmt.Sprintf("pid %d does not belong to uid 0", c.child)},
		{[]int32{1, c.child, nobody, -1}, fmt.Sprintf("oom_score_adj -1 of pid %d is below the 0 that it had", c.child)},
		{[]int32{1, c.child, nobody, -1, 0, 1}, "is below the 0"},
		{[]int32{0, 100, 900}, "uid 65534 is not trusted with the levels of the machine"},
	} {
		if c.send(t, tt.words...); !s.said.has(tt.said) {
			t.Errorf("%v: not told %q: %q", tt.words, tt.said, s.said.lines)
		}
	}
	if s.Roll() != nil || kernelAdj(t, c.child) != "0" || kernelAdj(t, mine) != "0" {
		t.Errorf("roll %v, oom_score_adj %s and %s", s.roll(), kernelAdj(t, c.child), kernelAdj(t, mine))
	}
	c.send(t, 1, c.child, nobody, 900)
	c.send(t, 1, c.child, nobody, 300) // what it raised itself it may lower again
	s.wantRoll(t, at(300, c.child))
	if kernelAdj(t, c.child) != "300" {
		t.Errorf("oom_score_adj is %s", kernelAdj(t, c.child))
	}
	// What root registered and left behind is not for it to take.
	left := stranger(t, s.path)
	left.send(t, 1, mine, 0, 900)
	left.end(t)
	waitFor(t, func() bool {
		c.send(t, 2, mine)
		return s.said.has("was registered by uid 0, and uid 65534 is not trusted")
	})
	s.wantRoll(t, at(900, mine), at(300, c.child))
}

// open lets everybody reach the socket.
func open(t *testing.T, path string) {
	t.Helper()
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	for dir := path; dir != "/tmp" && len(dir) > 1; {
		dir = dir[:strings.LastIndexByte(dir, '/')]
		if dir == "" || dir == "/tmp" {
			return
		}
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// The place of those who are trusted less goes to those who are trusted more.
func TestUntrustedMakesRoom(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not root")
	}
	s := serve(t)
	open(t, s.path)
	low := stranger(t, s.path, true)
	low.send(t, 4, 0, 0)
	var all []link
	for range maxClients {
		c := s.dial(t)
		c.settle()
		all = append(all, c)
	}
	for _, c := range all {
		c.settle()
	}
	if !s.said.has("(uid 65534) makes room for client") {
		t.Errorf("said %q", s.said.lines)
	}
}
