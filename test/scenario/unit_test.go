//go:build vm && full

package scenario

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lmkd/lmkd/test/vm/guest"
)

// The daemon as a person installs it: the unit in Debian with systemd.
func TestUnit(t *testing.T) {
	systemctl(t, "daemon-reload")
	systemctl(t, "start", "lmkd") // returns once the daemon says that it is ready
	t.Cleanup(func() { systemctl(t, "stop", "lmkd") })

	t.Run("woken by the kernel", func(t *testing.T) {
		for _, want := range []string{"woken by psi triggers and reclaim events"} {
			if log := journal(t); !strings.Contains(log, want) {
				t.Errorf("the journal lacks %q:\n%s", want, log)
			}
		}
		for _, line := range strings.Split(journal(t), "\n") {
			if len(line) > 4 && strings.HasPrefix(line, "20") && line[4] == '/' {
				t.Errorf("a line with a time of its own: %s", line)
			}
			if strings.Contains(line, "lost: ") || strings.Contains(line, "wake nothing") {
				t.Errorf("the unit withholds something: %s", line)
			}
		}
		if status := systemctl(t, "show", "--value", "--property=StatusText", "lmkd"); !strings.HasPrefix(status, "Woken by") {
			t.Errorf("status %q", status)
		}
	})
	t.Run("check", func(t *testing.T) {
		out, err := exec.Command("/usr/bin/lmkd", "check").CombinedOutput()
		t.Logf("lmkd check:\n%s", out)
		if err != nil {
			t.Error(err)
		}
	})
	t.Run("kills the hog", unitKillsTheHog)
	t.Run("comes back", func(t *testing.T) {
		pid := mainPID(t, "lmkd")
		if out, err := exec.Command("kill", "-9", strconv.Itoa(pid)).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		back := guest.Until(patience, func() bool {
			out, _ := exec.Command("systemctl", "show", "--value", "--property=MainPID,ActiveState", "lmkd").Output()
			return strings.Contains(string(out), "active\n") && !strings.Contains(string(out), strconv.Itoa(pid)) &&
				strings.TrimSpace(string(out)) != "" && !strings.Contains(string(out), "activating")
		})
		if !back {
			t.Error("lmkd was not started again")
		}
	})
	t.Run("watched by systemd", unitIsWatched)
	t.Run("bad config", func(t *testing.T) {
		if err := os.WriteFile("/tmp/bad.yaml", []byte("profil: linux\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("/usr/bin/lmkd", "check", "--config", "/tmp/bad.yaml").CombinedOutput()
		if code := exitCode(err); code != 2 || !strings.Contains(string(out), "/tmp/bad.yaml:1:1: profil") {
			t.Errorf("exit code %d: %s", code, out)
		}
	})
}

// With WatchdogSec= the loop itself feeds systemd, at rest too: unfed, systemd
// would have replaced it several times over.
func unitIsWatched(t *testing.T) {
	dir := "/run/systemd/system/lmkd.service.d"
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/watchdog.conf", []byte("[Service]\nWatchdogSec=8s\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	systemctl(t, "daemon-reload")
	systemctl(t, "restart", "lmkd")
	pid := mainPID(t, "lmkd")
	guest.Until(30*time.Second, func() bool { return false })
	if now := mainPID(t, "lmkd"); now != pid {
		t.Errorf("a loop at rest was not believed to be alive: %d became %d", pid, now)
	}
}

func unitKillsTheHog(t *testing.T) {
	spared := innocents(t)
	before := mark(t)
	h := hog(t, "hog", "leak")
	if !guest.Until(patience, func() bool { return !h.Alive() }) || h.Fate() != "signal: killed" {
		t.Errorf("the hog: %s", h.Fate())
	}
	after := mark(t)
	t.Logf("leak: full stall %v, kernel OOM kills %d", after.Stalled(before).Full, after.OOMKills-before.OOMKills)
	if after.OOMKills != before.OOMKills {
		t.Errorf("the kernel's OOM killer killed %d", after.OOMKills-before.OOMKills)
	}
	for _, p := range spared {
		if !p.Alive() {
			t.Errorf("%s died: %s", p.Name, p.Fate())
		}
	}
	guest.Until(patience, func() bool { return strings.Contains(journal(t), "Killed 'hog'") })
	t.Logf("the journal:\n%s", journal(t))
	if failed := systemctl(t, "list-units", "--failed", "--no-legend", "--plain"); failed != "" {
		t.Errorf("failed units: %s", failed)
	}
}

// A service with MemoryHigh=, as a person boxes one, is a domain of its own: the
// installed unit is permitted to watch it, though it comes later. So is a cgroup
// that a user made in one that was delegated to him: its files are his.
func TestUnitOfABox(t *testing.T) {
	const path = "/etc/lmkd/lmkd.yaml"
	if err := os.MkdirAll("/etc/lmkd", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("domains:\n  - cgroup: /system.slice/boxed-*.service\n  - cgroup: /system.slice/users-*.service/box\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	systemctl(t, "daemon-reload")
	systemctl(t, "start", "lmkd")
	t.Cleanup(func() {
		_ = os.Remove(path)
		systemctl(t, "stop", "lmkd")
	})
	spared := innocents(t)
	t.Run("root's", func(t *testing.T) {
		unitOfABox(t, spared, "boxed-hog", "", guest.Hogs, "leak")
	})
	t.Run("a user's", func(t *testing.T) {
		const inABox = `cg=/sys/fs/cgroup$(cut -d: -f3 /proc/self/cgroup); mkdir $cg/shell; echo 0 >$cg/shell/cgroup.procs
			echo +memory >$cg/cgroup.subtree_control; mkdir $cg/box; echo 0 >$cg/box/cgroup.procs; exec ` + guest.Hogs + ` leak`
		unitOfABox(t, spared, "users-hog", "/box", "--uid=nobody", "--property=Delegate=yes", "/bin/sh", "-ec", inABox)
	})
}

// unitOfABox runs a service that is boxed, and waits until the domain below it has
// ended the hog.
func unitOfABox(t *testing.T, spared []innocent, unit, below string, args ...string) {
	before := mark(t)
	run := exec.Command("systemd-run", append([]string{"--unit=" + unit, "--property=MemoryHigh=96M", "--property=MemorySwapMax=0"}, args...)...)
	if out, err := run.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("systemctl", "stop", unit).Run() })
	killed := "'/system.slice/" + unit + ".service" + below + "': Killed"
	if !guest.Until(patience, func() bool { return strings.Contains(journal(t), killed) }) {
		t.Errorf("the journal lacks %q", killed)
	}
	t.Logf("the journal:\n%s", journal(t))
	if after := mark(t); after.OOMKills != before.OOMKills {
		t.Errorf("the kernel's OOM killer killed %d", after.OOMKills-before.OOMKills)
	}
	for _, p := range spared {
		if !p.Alive() {
			t.Errorf("%s died: %s", p.Name, p.Fate())
		}
	}
	if result := systemctl(t, "show", "--value", "--property=Result", unit); result != "signal" {
		said, _ := exec.Command("journalctl", "--unit="+unit, "--output=cat", "--no-pager").Output()
		t.Errorf("the service ended with %q:\n%s", result, said)
	}
	_ = exec.Command("systemctl", "reset-failed", unit).Run()
}

// At rest, beside the peers, in the same guest.
func TestUnitAtRest(t *testing.T) {
	rest := time.Minute
	figures := map[string]uint64{}
	for _, unit := range []string{"lmkd", "earlyoom", "systemd-oomd"} {
		systemctl(t, "start", unit)
		pid := mainPID(t, unit)
		guest.Until(10*time.Second, func() bool { return false }) // its start is not its rest
		before := switches(t, pid)
		guest.Until(rest, func() bool { return false })
		made := switches(t, pid) - before
		rss, err := guest.Resident(pid)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s at rest: %d context switches in %v on all threads, %d kB resident", unit, made, rest, rss>>10)
		figures[unit] = made
		systemctl(t, "stop", unit)
	}
	// The Go runtime's own come to one or two a minute; a minute may hold the
	// ends of two.
	if figures["lmkd"] > 4 || figures["lmkd"]*10 > figures["earlyoom"] {
		t.Errorf("lmkd made %d context switches in %v, earlyoom %d", figures["lmkd"], rest, figures["earlyoom"])
	}
}

func systemctl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("systemctl", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("systemctl %s: %v: %s\n%s", strings.Join(args, " "), err, out, journal(t))
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

func journal(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("journalctl", "--unit=lmkd", "--output=cat", "--no-pager").CombinedOutput()
	if err != nil {
		t.Fatalf("journalctl: %v: %s", err, out)
	}
	return string(out)
}

func exitCode(err error) int {
	var e *exec.ExitError
	if errors.As(err, &e) {
		return e.ExitCode()
	}
	return 0
}
