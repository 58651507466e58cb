package control

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lmkd/lmkd/pkg/pressure"
)

func serveNative(t *testing.T) (*Native, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "control.sock")
	socket, err := BindNative(path)
	if err != nil {
		t.Fatal(err)
	}
	n := ServeNative(socket, "machine")
	t.Cleanup(n.Close)
	return n, path
}

// listener is a client of the native socket.
type listener struct {
	net.Conn
	lines *bufio.Scanner
	t     *testing.T
}

func listen(t *testing.T, path, request string) *listener {
	t.Helper()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	if _, err := fmt.Fprintln(c, request); err != nil {
		t.Fatal(err)
	}
	return &listener{c, bufio.NewScanner(c), t}
}

// next gives one line, or "" at the end.
func (l *listener) next() string {
	l.t.Helper()
	if l.lines.Scan() {
		return l.lines.Text()
	}
	return ""
}

func TestLevels(t *testing.T) {
	n, path := serveNative(t)
	at := time.Date(2026, 2, 3, 4, 5, 6, 7000, time.UTC)
	follow := listen(t, path, `{"cmd":"levels","follow":true}`)
	if got := follow.next(); !strings.HasPrefix(got, `{"domain":"machine","level":"none","at":"`) {
		t.Fatalf("at the start %s", got)
	}
	n.Level("machine", pressure.LevelMedium, at)
	n.Level("app.slice", pressure.LevelCritical, at)
	for _, want := range []string{
		`{"domain":"machine","level":"medium","at":"2026-02-03T04:05:06.000007Z"}`,
		`{"domain":"app.slice","level":"critical","at":"2026-02-03T04:05:06.000007Z"}`,
	} {
		if got := follow.next(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	now := listen(t, path, `{"cmd":"levels"}`)
	if got := []string{now.next(), now.next(), now.next()}; !strings.Contains(got[0], "medium") || !strings.Contains(got[1], "app.slice") || got[2] != "" {
		t.Errorf("now %q", got)
	}
	n.Close()
	if got := follow.next(); got != "" {
		t.Errorf("after the end %s", got)
	}
}

func TestKillsAreFollowed(t *testing.T) {
	n, path := serveNative(t)
	c := listen(t, path, `{"cmd":"kills","follow":true}`)
	k := killOf(4242, 900)
	k.Victim.SetName([]byte("a\"\xff"))
	waitFor(t, func() bool { n.mu.Lock(); defer n.mu.Unlock(); return len(n.streams) == 1 && n.streams[0].asked.Follow })
	n.Killed("machine", k, time.Unix(0, 0).UTC())
	if os.Geteuid() != 0 {
		return // of others' kills only root hears
	}
	var got KillLine
	if err := json.Unmarshal([]byte(c.next()), &got); err != nil {
		t.Fatal(err)
	}
	if got != (KillLine{"machine", 4242, 5, "a\"\ufffd", 900, 100 << 20, 0, "low_mem", time.Unix(0, 0).UTC()}) {
		t.Errorf("%+v", got)
	}
}

func TestWrongRequests(t *testing.T) {
	_, path := serveNative(t)
	for request, want := range map[string]string{
		`{"cmd":"kill"}`:          `there is no command \"kill\": levels or kills`,
		`{}`:                      `there is no command \"\"`,
		`{"cmd":"kills"}`:         `kills can only be followed`,
		`levels`:                  `read the request: invalid character`,
		strings.Repeat("x", 5000): `read the request: bufio: buffer full`,
	} {
		c := listen(t, path, request)
		if got := c.next(); !strings.Contains(got, want) || !strings.HasPrefix(got, `{"error":"`) {
			t.Errorf("%.20q: %s, want %s", request, got, want)
		}
		if got := c.next(); got != "" {
			t.Errorf("after an error %s", got)
		}
	}
}

// Who does not read is hung up on, and holds nobody up.
func TestSleepingListener(t *testing.T) {
	n, path := serveNative(t)
	asleep := listen(t, path, `{"cmd":"levels","follow":true}`)
	asleep.next()
	for i := range 20000 {
		n.Level("machine", pressure.Level(1+i%3), time.Unix(int64(i), 0))
	}
	waitFor(t, func() bool { n.mu.Lock(); defer n.mu.Unlock(); return len(n.streams) == 0 })
	lines := 1
	for asleep.next() != "" {
		lines++
	}
	if lines >= 20000 {
		t.Error("nothing was cut: the test shows nothing")
	}
}

func TestBindReplacesWhatIsDead(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "run", "lmkd", "s")
	fd, err := BindAndroid(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != androidMode {
		t.Errorf("mode %v", info.Mode())
	}
	_ = fd.Close() // without a word, as a daemon that was killed
	if fd, err = BindAndroid(path); err != nil {
		t.Fatal(err)
	}
	a, err := ServeAndroid(fd, AndroidOptions{Path: path, Say: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := BindAndroid(path); err == nil || !strings.Contains(err.Error(), "somebody listens") {
		t.Errorf("a living daemon's socket was taken: %v", err)
	}
	a.Close()
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the socket stays: %v", err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := BindAndroid(path); err == nil || !strings.Contains(err.Error(), "no socket") {
		t.Errorf("a file was taken for a socket: %v", err)
	}
}
