//go:build vm

package scenario

import (
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/test/vm/guest"
)

const androidSocket = "/run/lmkd-android"

// register is the configuration of a daemon with a client. An emulated machine may
// need more than Android's 100 ms for a victim's end.
const register = "profile: android\nkill:\n  timeout: 30s\ncontrol:\n  android_socket: " + androidSocket + "\n"

// client speaks to the daemon as Android's framework does: words, and nothing of
// our own package.
type client struct {
	fd *sys.FD
	t  *testing.T
}

func dial(t *testing.T) client {
	t.Helper()
	fd, err := sys.DialSeqpacket(androidSocket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = fd.Close() })
	return client{&fd, t}
}

func (c client) send(words ...int32) {
	c.t.Helper()
	var b []byte
	for _, w := range words {
		b = binary.BigEndian.AppendUint32(b, uint32(w))
	}
	if _, e := sys.Write(c.fd.Int(), b); e != 0 {
		c.t.Fatal(e)
	}
}

// receive gives the words of the next packet.
func (c client) receive() (words []int32) {
	c.t.Helper()
	b := make([]byte, 512)
	if !guest.Until(patience, func() bool { ready, _ := sys.PollIn(c.fd.Int()); return ready != 0 }) {
		c.t.Fatal("the daemon says nothing")
	}
	n, e := sys.Read(c.fd.Int(), b)
	if e != 0 {
		c.t.Fatal(e)
	}
	for b = b[:n]; len(b) >= 4; b = b[4:] {
		words = append(words, int32(binary.BigEndian.Uint32(b)))
	}
	return words
}

// holder holds so much memory and waits.
func holder(t *testing.T, name, mb string) *guest.Process {
	t.Helper()
	p := hog(t, name, "finite", "-mb", mb)
	if err := p.WaitReady(patience); err != nil {
		t.Fatal(err)
	}
	return p
}

// Android's order of death: of two cached processes the one that was given its
// oom_score_adj first, then the other; a visible one lives, and so does whoever
// is not registered, the hog itself included. The client hears of each.
func TestRegisteredDieInTheirOrder(t *testing.T) {
	spared := innocents(t)
	tail, head, visible := holder(t, "tail", "50"), holder(t, "head", "70"), holder(t, "visible", "60")
	d := startDaemon(t, "--config", config(t, register))
	before := mark(t)
	c := dial(t)
	c.send(3)
	c.send(5, 0)
	c.send(1, int32(head.PID), 10001, 900)
	c.send(11, int32(visible.PID), 10002, 100, 0, int32(tail.PID), 10003, 900, 0)
	c.send(1, int32(head.PID), 10001, 900) // again: now the other one is the tail
	c.send(4, 0, 1000)
	if got := c.receive(); !slices.Equal(got, []int32{4, 0}) {
		t.Fatalf("kill count %v", got)
	}
	leak := hog(t, "leak", "leak", "-rate", "8")
	for i, p := range []*guest.Process{tail, head} {
		got := c.receive()
		if len(got) != 4 || got[0] != 6 || got[1] != int32(p.PID) || got[2] != int32(10003-2*i) || got[3] < 40<<10 {
			t.Errorf("notification %v, want of %s (%d)", got, p.Name, p.PID)
		}
		if err := p.WaitExit(patience); err != nil || p.Fate() != "signal: killed" {
			t.Errorf("%s: %s", p.Name, p.Fate())
		}
	}
	leak.Kill()
	c.send(4, 900, 900)
	if got := c.receive(); !slices.Equal(got, []int32{4, 2}) {
		t.Errorf("kill count %v, want 2 at 900", got)
	}
	for _, p := range append(spared, innocent{visible}) {
		if !p.Alive() {
			t.Errorf("%s died: %s", p.Name, p.Fate())
		}
	}
	if kills := mark(t).OOMKills - before.OOMKills; kills != 0 {
		t.Errorf("the kernel's OOM killer killed %d", kills)
	}
	for _, line := range d.Lines() {
		if strings.Contains(line, "Kill") {
			t.Log(line)
		}
	}
	assertAdj(t, visible.PID, "100")
	_ = d.Terminate()
	if err := d.WaitExit(patience); err != nil {
		t.Fatal(err)
	}
	if kills := d.assertOneAtATime(t); kills != 2 {
		t.Errorf("%d kills, want 2", kills)
	}
}

func assertAdj(t *testing.T, pid int, want string) {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid))
	if err != nil || strings.TrimSpace(string(b)) != want {
		t.Errorf("oom_score_adj of %d is %q, want %s: %v", pid, b, want, err)
	}
}
