package control

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/lmkd/lmkd/internal/boxtest"
	"github.com/lmkd/lmkd/pkg/lmkproto"
	"github.com/lmkd/lmkd/pkg/victim"
)

// A daemon that waits for the boot begins by whichever packet comes first, once.
func TestBoot(t *testing.T) {
	for name, tt := range map[string]struct {
		first int32
		reply []int32 // to it
	}{
		"start monitoring": {9, nil},
		"boot completed":   {10, []int32{10, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			var begun atomic.Int32
			s := serveWith(t, AndroidOptions{Boot: func() { begun.Add(1) }})
			c := s.dial(t)
			c.settle()
			if begun.Load() != 0 {
				t.Fatal("begun before anybody said so")
			}
			c.send(tt.first)
			if tt.reply != nil {
				if w := c.words(); len(w) != 2 || w[0] != tt.reply[0] || w[1] != tt.reply[1] {
					t.Errorf("reply %v, want %v", w, tt.reply)
				}
			}
			c.send(9)
			c.send(10)
			if w := c.words(); len(w) != 2 || w[1] != 1 {
				t.Errorf("the second time: reply %v", w)
			}
			if n := begun.Load(); n != 1 {
				t.Errorf("begun %d times", n)
			}
		})
	}
}

// Only who is trusted can say it.
func TestBootIsForTheTrusted(t *testing.T) {
	a := &Android{opt: AndroidOptions{Boot: func() { t.Error("begun") }}}
	if err := a.boot(&client{caller: caller{uid: 1234}}); err == nil || !strings.Contains(err.Error(), "uid 1234 is not trusted") {
		t.Errorf("%v", err)
	}
}

// Without statistics a subscriber of both hears of the kill alone.
func TestNoStats(t *testing.T) {
	s := serveWith(t, AndroidOptions{NoStats: true})
	c := s.dial(t)
	c.send(5, 1)
	c.send(5, 0)
	c.settle()
	s.Killed(&Kill{Victim: victim.Process{PID: 4711, UID: 10036, Adj: 900, RSS: 1 << 20}})
	if w := c.words(); len(w) != 4 || w[0] != int32(lmkproto.ProcKill) || w[1] != 4711 {
		t.Errorf("got %v, want the kill", w)
	}
}

func TestSoftLimit(t *testing.T) {
	const unit = 8 << 20
	for adj, want := range map[int32]uint64{
		-1000: 64 * unit, -1: 64 * unit, 0: 20 * unit, 99: 20 * unit, 100: 10 * unit, 200: 8 * unit, 300: unit,
		400: 0, 500: 0, 600: unit, 699: unit, 700: 0, 1000: 0,
	} {
		if got := softLimit(adj); got != want {
			t.Errorf("adj %d: %d, want %d", adj, got, want)
		}
	}
}

const sleeperJob = "LMKD_CONTROL_TEST"

// An app that is registered has its cgroup's soft limit set for real, and a service
// has not.
func TestSoftLimitIsSet(t *testing.T) {
	limits, err := FindSoftLimits("/")
	if errors.Is(err, ErrNoSoftLimits) || os.Getuid() != 0 {
		t.Skip("needs root and the memory controller on cgroup v1")
	}
	if err != nil {
		t.Fatal(err)
	}
	app := boxtest.New(t, 64<<20).Start(t, sleeperJob, "wait").Process.Pid
	text, err := os.ReadFile("/proc/" + strconv.Itoa(app) + "/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(limits.root, memoryPath(text), "memory.soft_limit_in_bytes")
	before := contents(t, file)
	s := serveWith(t, AndroidOptions{SoftLimits: limits})
	c := s.dial(t)
	c.send(1, int32(app), 0, 100, 1) // a service
	c.settle()
	if got := contents(t, file); got != before {
		t.Errorf("a service's limit went from %s to %s", before, got)
	}
	c.send(1, int32(app), 0, 100, 0) // an app
	c.settle()
	if got := contents(t, file); got != "83886080" {
		t.Errorf("the limit is %s, want 80MiB", got)
	}
	if r := s.Roll(); r == nil || len(r.Members) != 1 || r.Members[0].Adj != 100 {
		t.Errorf("registered: %+v", r)
	}
}

func contents(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

func TestSoftLimitsElsewhere(t *testing.T) {
	root := t.TempDir()
	if _, err := FindSoftLimits(root); err == nil || errors.Is(err, ErrNoSoftLimits) {
		t.Errorf("no mount table: %v", err)
	}
	if err := os.MkdirAll(filepath.Join(root, "proc/self"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "proc/self/mounts"), []byte("cgroup2 /sys/fs/cgroup cgroup2 rw,memory 0 0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := FindSoftLimits(root); !errors.Is(err, ErrNoSoftLimits) {
		t.Errorf("cgroup v2 alone: %v", err)
	}
	for text, want := range map[string]string{
		"0::/user.slice\n": "/", "4:memory:/a:b\n": "/a:b", "3:cpu:/x\n2:cpuset,memory:/y\n": "/y", "": "/",
	} {
		if got := memoryPath([]byte(text)); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	if err := (&SoftLimits{proc: root}).set(4711, 0); err == nil {
		t.Error("a process that is gone got a limit")
	}
}
