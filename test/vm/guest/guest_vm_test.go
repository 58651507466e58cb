//go:build vm

package guest_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/lmkd/lmkd/test/vm/guest"
)

// limit is for what must happen at all: software emulation on a busy machine.
const limit = 2 * time.Minute

// TestMain refuses to hog a real machine.
func TestMain(m *testing.M) {
	if os.Getenv("VM_KERNEL") == "" {
		fmt.Fprintln(os.Stderr, "these tests use up all memory: run them in a guest, go test -tags vm -exec \"$PWD/bin/vm -oom allow\"")
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// innocents starts the company that must survive.
func innocents(t *testing.T) []*guest.Process {
	t.Helper()
	var all []*guest.Process
	for _, i := range []struct{ name, mb, adj string }{
		{"editor", "20", "0"}, {"shell", "2", "0"}, {"player", "12", "0"}, {"sshd-like", "2", "-500"},
	} {
		p, err := guest.Hog(i.name, "innocent", "-mb", i.mb, "-adj", i.adj)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Kill)
		if err := p.WaitReady(limit); err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

// TestBaselineLeak is the machine without any daemon: the kernel has to kill.
func TestBaselineLeak(t *testing.T) { baseline(t, "leak") }

// TestBaselineBomb is the same with the fastest hog.
func TestBaselineBomb(t *testing.T) { baseline(t, "bomb") }

func baseline(t *testing.T, hog string) {
	if err := guest.ProtectSelf(); err != nil {
		t.Fatal(err)
	}
	company := innocents(t)
	before := mark(t)
	p, err := guest.Hog("hog", hog)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	if err := p.WaitExit(limit); err != nil {
		t.Fatal(err)
	}
	after := mark(t)
	t.Logf("%s: %s after %s, full stall %s, some %s", hog, p.Fate(), after.At-before.At,
		after.Stalled(before).Full, after.Stalled(before).Some)
	for _, c := range company {
		worst, n := c.WorstBeat()
		t.Logf("%s: %s, worst delay %s in %d reports", c.Name, c.Fate(), worst, n)
	}
	if after.OOMKills == before.OOMKills {
		t.Error("the hog ended, but not by the kernel's OOM killer")
	}
}

func mark(t *testing.T) guest.Mark {
	t.Helper()
	m, err := guest.TakeMark()
	if err != nil {
		t.Fatal(err)
	}
	return m
}
