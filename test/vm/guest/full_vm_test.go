//go:build vm && full

package guest_test

import (
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lmkd/lmkd/test/vm/guest"
)

// TestEarlyoomKillsTheLeak is the full guest with a peer on guard: the leak
// dies by its hand and not by the kernel's.
func TestEarlyoomKillsTheLeak(t *testing.T) {
	if err := guest.ProtectSelf(); err != nil {
		t.Fatal(err)
	}
	systemctl(t, "start", "earlyoom")
	t.Cleanup(func() { systemctl(t, "stop", "earlyoom") })
	company := innocents(t)
	before := mark(t)
	p := hog(t, "hog", "leak")
	if err := p.WaitExit(limit); err != nil {
		t.Fatal(err)
	}
	after := mark(t)
	t.Logf("leak: %s after %s, full stall %s, some %s", p.Fate(), after.At-before.At,
		after.Stalled(before).Full, after.Stalled(before).Some)
	if after.OOMKills != before.OOMKills {
		t.Errorf("the kernel's OOM killer killed %d", after.OOMKills-before.OOMKills)
	}
	for _, c := range company {
		if !c.Alive() {
			t.Errorf("%s did not live: %s", c.Name, c.Fate())
		}
	}
}

// TestPeersAtRest takes the figures that a daemon at rest is compared with.
func TestPeersAtRest(t *testing.T) {
	for _, unit := range []string{"earlyoom", "systemd-oomd"} {
		systemctl(t, "start", unit)
		pid := mainPID(t, unit)
		guest.Until(2*time.Second, func() bool { return false }) // its start is not its rest
		before, err := guest.Switches(pid)
		if err != nil {
			t.Fatal(err)
		}
		from := mark(t)
		guest.Until(20*time.Second, func() bool { return false })
		after, err := guest.Switches(pid)
		if err != nil {
			t.Fatal(err)
		}
		rss, err := guest.Resident(pid)
		if err != nil {
			t.Fatal(err)
		}
		perMinute := float64(after-before) / (mark(t).At - from.At).Minutes()
		t.Logf("%s at rest: %.0f context switches a minute, %d KB resident", unit, perMinute, rss>>10)
		systemctl(t, "stop", unit)
	}
}

func systemctl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("systemctl", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("systemctl %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func mainPID(t *testing.T, unit string) int {
	t.Helper()
	pid, err := strconv.Atoi(systemctl(t, "show", "--value", "--property=MainPID", unit))
	if err != nil || pid == 0 {
		t.Fatalf("%s has no main process: %v", unit, err)
	}
	return pid
}
