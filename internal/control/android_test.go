package control

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/lmkproto"
	"github.com/lmkd/lmkd/pkg/pressure"
	"github.com/lmkd/lmkd/pkg/victim"
)

// notes are what a server said.
type notes struct {
	mu    sync.Mutex
	lines []string
}

func (n *notes) say(format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lines = append(n.lines, fmt.Sprintf(format, args...))
}

func (n *notes) has(text string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return strings.Contains(strings.Join(n.lines, "\n"), text)
}

// server is an Android on a socket of its own.
type server struct {
	*Android
	path string
	said *notes
}

func serve(t *testing.T) server { return serveWith(t, AndroidOptions{}) }

func serveWith(t *testing.T, opt AndroidOptions) server {
	t.Helper()
	s := server{path: filepath.Join(t.TempDir(), "lmkd"), said: &notes{}}
	listener, err := BindAndroid(s.path)
	if err != nil {
		t.Fatal(err)
	}
	opt.Path, opt.Say = s.path, s.said.say
	s.Android, err = ServeAndroid(listener, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// link is a client that knows nothing of our own package: words in, words out.
type link struct {
	*net.UnixConn
	t *testing.T
}

func (s server) dial(t *testing.T) link {
	t.Helper()
	c, err := net.DialUnix("unixpacket", nil, &net.UnixAddr{Name: s.path, Net: "unixpacket"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	return link{c, t}
}

func (l link) send(words ...int32) {
	l.t.Helper()
	var b []byte
	for _, w := range words {
		b = binary.BigEndian.AppendUint32(b, uint32(w))
	}
	if _, err := l.Write(b); err != nil {
		l.t.Fatal(err)
	}
}

func (l link) receive() []byte {
	l.t.Helper()
	b := make([]byte, 512)
	n, err := l.Read(b)
	if err != nil {
		l.t.Fatal(err)
	}
	return b[:n]
}

func (l link) words() (out []int32) {
	b := l.receive()
	for ; len(b) >= 4; b = b[4:] {
		out = append(out, int32(binary.BigEndian.Uint32(b)))
	}
	return out
}

// settle waits until the server has done all that l sent before: it answers in
// order.
func (l link) settle() int32 {
	l.t.Helper()
	l.send(4, 1001, 1001)
	w := l.words()
	if len(w) != 2 || w[0] != 4 {
		l.t.Fatalf("kill count: %v", w)
	}
	return w[1]
}

// sleeper starts a process that waits to be killed.
func sleeper(t *testing.T) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd
}

func pidOf(cmd *exec.Cmd) int32 { return int32(cmd.Process.Pid) }

func kernelAdj(t *testing.T, pid int32) string {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// roll gives the roll in Android's order, the tail of the highest list first.
func (s server) roll() (out []string) {
	r := s.Roll()
	if r == nil {
		return nil
	}
	members := append([]victim.Registration(nil), r.Members...)
	for len(members) > 0 {
		best := 0
		for i := range members {
			a, b := &members[i], &members[best]
			if a.Adj > b.Adj || a.Adj == b.Adj && a.Turn < b.Turn {
				best = i
			}
		}
		out = append(out, fmt.Sprintf("%d:%d", members[best].Adj, members[best].PID))
		members = append(members[:best], members[best+1:]...)
	}
	return out
}

func (s server) wantRoll(t *testing.T, want ...string) {
	t.Helper()
	if got := s.roll(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("roll %v, want %v", got, want)
	}
}

func at(adj int, pid int32) string { return fmt.Sprintf("%d:%d", adj, pid) }

func TestRegistration(t *testing.T) {
	s := serve(t)
	c := s.dial(t)
	if s.Roll() != nil {
		t.Error("there is a roll before anybody registered")
	}
	a, b, d := pidOf(sleeper(t)), pidOf(sleeper(t)), pidOf(sleeper(t))
	c.send(1, a, 1000, 900)                            // 3 words
	c.send(11, b, 1001, 900, 0, 1, d, 1002, 100, 1, 0) // two records of 5 words
	c.settle()
	s.wantRoll(t, at(900, a), at(900, b), at(100, d))
	if kernelAdj(t, a) != "900" || kernelAdj(t, b) == "900" || kernelAdj(t, d) != "100" {
		t.Errorf("the kernel has %s, %s (for_lmkd_only), %s", kernelAdj(t, a), kernelAdj(t, b), kernelAdj(t, d))
	}
	c.send(1, a, 1000, 900, 0) // again: it is the head of its list now
	c.settle()
	s.wantRoll(t, at(900, b), at(900, a), at(100, d))
	c.send(11, d, 1002, 950, 1, b, 1001, 0, 0) // two records of 4 words
	c.settle()
	s.wantRoll(t, at(950, d), at(900, a), at(0, b))
	if m := s.Roll().Find(a); m == nil || m.UID != 1000 || m.StartTime == 0 {
		t.Errorf("member %+v", m)
	}
	c.send(2, d)
	c.settle()
	s.wantRoll(t, at(900, a), at(0, b))
	c.send(3)
	c.settle()
	s.wantRoll(t)
	if s.Roll() == nil {
		t.Error("no roll: that nobody ever registered")
	}
}

// What is wrong changes nothing and ends nothing.
func TestWrongPackets(t *testing.T) {
	s := serve(t)
	c := s.dial(t)
	p := sleeper(t)
	pid := pidOf(p)
	before := kernelAdj(t, pid)
	thread := aThread(t)
	for _, tt := range []struct {
		words []int32
		said  string
	}{
		{[]int32{1, pid, 0, 1001}, fmt.Sprintf("LMK_PROCPRIO: oom_score_adj 1001 of pid %d is not from -1000 to 1000", pid)},
		{[]int32{1, pid, 0, 900, 7}, "neither app (0) nor service (1)"},
		{[]int32{1, 0, 0, 900}, "pid 0 is none"},
		{[]int32{1, 1<<22 + 7, 0, 900}, "open pid 4194311"},
		{[]int32{1, thread, 0, 900}, fmt.Sprintf("open pid %d", thread)},
		{[]int32{1, pid}, "LMK_PROCPRIO: 1 words after the command, want 3 to 5"},
		{[]int32{5, 2}, "LMK_SUBSCRIBE: event 2 is neither kill (0) nor stat (1)"},
		{[]int32{6, 1, 2, 3}, "LMK_PROCKILL: only the daemon sends it"},
		{[]int32{99}, "command 99 is not known"},
		{make([]int32, 30), "a packet of 120 bytes, 64 is the most"},
		{[]int32{1, pid, 0, 901}, ""}, // more than are told
	} {
		if tt.said == "" {
			continue
		}
		one := s.dial(t)
		one.send(tt.words...)
		one.settle()
		if !s.said.has(tt.said) {
			t.Errorf("%v: not told %q", tt.words, tt.said)
		}
		_ = one.Close()
	}
	if got := kernelAdj(t, pid); got != before {
		t.Errorf("oom_score_adj is %s, was %s", got, before)
	}
	// One of three is wrong: the others are registered.
	c.send(11, 1<<22+7, 0, 900, 0, pid, 0, 900, 0, pid, 0, 5000, 0)
	c.settle()
	s.wantRoll(t, at(900, pid))
	for range 20 {
		c.send(77)
	}
	c.settle()
	if !s.said.has("makes more mistakes") {
		t.Error("a client that only makes mistakes is told of for ever")
	}
}

// aThread gives the id of a thread that leads no process.
func aThread(t *testing.T) int32 {
	t.Helper()
	names, err := os.ReadDir("/proc/self/task")
	if err != nil || len(names) < 2 {
		t.Skip("one thread only")
	}
	tid, _ := strconv.Atoi(names[len(names)-1].Name())
	return int32(tid)
}

// A record belongs to the client that made it, and without one to the next that
// touches it.
func TestOwnership(t *testing.T) {
	s := serve(t)
	p := pidOf(sleeper(t))
	other := stranger(t, s.path)
	other.send(t, 1, p, 0, 900)
	s.wantRoll(t, at(900, p))
	c := s.dial(t)
	c.send(1, p, 0, 100)
	c.send(2, p)
	c.send(3)
	c.settle()
	s.wantRoll(t, at(900, p))
	if kernelAdj(t, p) != "900" || !s.said.has("was registered by client") {
		t.Errorf("another client's record was touched: oom_score_adj %s", kernelAdj(t, p))
	}
	other.end(t)
	waitFor(t, func() bool { c.send(1, p, 0, 200); c.settle(); return kernelAdj(t, p) == "200" })
	s.wantRoll(t, at(200, p))
}

// The record goes with its process, and one that takes its pid is another.
func TestExitEndsARecord(t *testing.T) {
	s := serve(t)
	c := s.dial(t)
	cmd := sleeper(t)
	c.send(1, pidOf(cmd), 0, 900)
	c.settle()
	s.wantRoll(t, at(900, pidOf(cmd)))
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	waitFor(t, func() bool { c.settle(); return len(s.Roll().Members) == 0 })
}

func TestTargets(t *testing.T) {
	s := serve(t)
	c := s.dial(t)
	c.send(0, 100, 0, 200, 900)
	c.settle()
	want := pressure.Targets{{Bytes: 100 * sys.Pagesize(), MinAdj: 0}, {Bytes: 200 * sys.Pagesize(), MinAdj: 900}}
	if got := s.Targets(); got != want {
		t.Errorf("targets %v, want %v", got, want)
	}
	c.send(0)                // nothing
	c.send(0, 1, 0, -2, 900) // wrong: none of it
	c.send(0, 100, 0, 200, 1001)
	c.settle()
	if got := s.Targets(); got != want {
		t.Errorf("targets %v, want those before", got)
	}
	c.send(0, 7, 950)
	c.settle()
	if got := s.Targets(); got[0] != (pressure.Minfree{Bytes: 7 * sys.Pagesize(), MinAdj: 950}) || got[1] != (pressure.Minfree{}) {
		t.Errorf("targets %v", got)
	}
}

func killOf(pid int32, adj int16) *Kill {
	k := &Kill{Victim: victim.Process{PID: pid, UID: 5, Adj: adj, RSS: 100 << 20, StartTime: 100}, MaxThrashing: 9}
	k.Victim.SetName([]byte("app"))
	k.Verdict.Reason, k.Verdict.MinAdj = pressure.LowMem, 201
	return k
}

func TestKillsAreToldAndCounted(t *testing.T) {
	s := serve(t)
	killed, both, deaf := s.dial(t), s.dial(t), s.dial(t)
	cmd := sleeper(t)
	p := pidOf(cmd)
	killed.send(1, p, 10036, 900)
	killed.send(5, 0)
	both.send(5, 1)
	both.send(5, 0)
	for _, c := range []link{killed, both, deaf} {
		c.settle()
	}
	k := killOf(p, 900)
	k.Victim.StartTime = s.Roll().Find(p).StartTime
	// Dead, and its record gone, before anybody is told: its client's uid stays.
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	waitFor(t, func() bool { deaf.settle(); return s.Roll().Find(p) == nil })
	s.Killed(k)
	s.Killed(killOf(4242, 0))
	if got := fmt.Sprint(killed.words(), killed.words()); got != fmt.Sprintf("[6 %d 10036 102400] [6 4242 5 102400]", p) {
		t.Errorf("notified %s: the uid is the client's word for a registered process", got)
	}
	stat := both.receive()
	if len(stat) != 87+3 || string(stat[86:]) != "app\x00" || binary.BigEndian.Uint32(stat) != 8 {
		t.Errorf("stat packet %x", stat)
	}
	if got := both.words(); got[0] != 6 || got[1] != p {
		t.Errorf("after the stat packet %v", got)
	}
	for want, ask := range map[int32][2]int32{
		2: {1001, 5000}, 1: {900, 900}, 0: {1, 899},
	} {
		if deaf.send(4, ask[0], ask[1]); fmt.Sprint(deaf.words()) != fmt.Sprint([]int32{4, want}) {
			t.Errorf("kills of %v: not %d", ask, want)
		}
	}
	deaf.send(4, -2000000, 2000000)
	deaf.send(4, 10, 0)
	if got := fmt.Sprint(deaf.words(), deaf.words()); got != "[4 2] [4 0]" {
		t.Errorf("beyond the ends: %s", got)
	}
}

// Who does not read misses notifications; nobody waits for it.
func TestSleepingSubscriberHoldsNobodyUp(t *testing.T) {
	s := serve(t)
	asleep, awake := s.dial(t), s.dial(t)
	asleep.send(5, 0)
	asleep.settle()
	for n := range 5000 {
		s.Killed(killOf(int32(n+2), 900))
		if n%32 == 0 {
			awake.settle()
		}
	}
	if awake.settle() != 5000 {
		t.Errorf("counted %d kills", awake.settle())
	}
	if !s.said.has("does not read, and misses notifications") {
		t.Error("nobody was told of the sleeping client")
	}
}

func TestNinthClient(t *testing.T) {
	s := serve(t)
	var all []link
	for range maxClients {
		c := s.dial(t)
		c.settle()
		all = append(all, c)
	}
	all[0].settle() // the first has spoken since: the second is the silent one
	ninth := s.dial(t)
	ninth.settle()
	if _, err := all[1].Read(make([]byte, 8)); !errors.Is(err, io.EOF) {
		t.Errorf("the silent client was not hung up on: %v", err)
	}
	all[0].settle()
	all[maxClients-1].settle()
}

func TestRepliesToWhatIsNotThere(t *testing.T) {
	s := serve(t)
	c := s.dial(t)
	c.send(7)
	c.send(9)
	c.send(10)
	if got := fmt.Sprint(c.words(), c.words()); got != "[7 -1] [10 1]" {
		t.Errorf("replies %s", got)
	}
}

func TestOurOwnClient(t *testing.T) {
	s := serve(t)
	c, err := lmkproto.Dial(s.path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	var procs []lmkproto.Proc
	var want []string
	for i := range 5 {
		p := pidOf(sleeper(t))
		procs = append(procs, lmkproto.Proc{PID: p, Adj: int32(900 + i)})
		want = append([]string{at(900+i, p)}, want...)
	}
	if err := errors.Join(c.Purge(), c.SetLevels(lmkproto.Level{Minfree: 1, Adj: 900}), c.Subscribe(lmkproto.KillEvent), c.Register(procs...)); err != nil {
		t.Fatal(err)
	}
	if n, err := c.KillCount(0, 1000); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	s.wantRoll(t, want...)
	s.Killed(killOf(77, 900))
	waitFor(t, func() bool { n, err := c.KillCount(0, 1000); return n == 1 || err != nil })
	var m lmkproto.Message
	if err := c.Next(&m); err != nil || m.Kill.PID != 77 {
		t.Errorf("%+v, %v", m, err)
	}
	if err := c.Remove(procs[0].PID); err != nil {
		t.Error(err)
	}
}

// waitFor asks again and again, for a minute.
func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); {
		if time.Now().After(end) {
			t.Fatal("it never came so")
		}
	}
}
