//go:build vm

package scenario

import (
	"fmt"
	"os"
	"runtime"
	"testing"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/test/vm/guest"
)

// unprivilegedEnv makes the test binary drop what reclaim events take and
// become the program in its arguments.
const unprivilegedEnv = "SCENARIO_WITHOUT_BPF"

func becomeUnprivileged() {
	runtime.LockOSThread()
	if err := sys.ForbidCapabilities(sys.CapBPF, sys.CapPerfmon, sys.CapSysAdmin); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Fprintln(os.Stderr, sys.Exec(os.Args[1], os.Args[1:], os.Environ()))
	os.Exit(1)
}

// Where the kernel gives less, the next best source serves: without BPF the
// triggers alone, without PSI the reclaim events alone, and without both
// memory is sampled. The leak dies each time, and the daemon says what it
// lacks. The guest is booted with pressure information and without.
func TestLacking(t *testing.T) {
	_, err := os.Stat("/proc/pressure/memory")
	psi := err == nil
	t.Run("all the guest has", func(t *testing.T) {
		want := "woken by psi triggers and reclaim events"
		if !psi {
			want = "woken by reclaim events"
		}
		killsTheLeakSaying(t, want)
	})
	t.Run("no BPF", func(t *testing.T) {
		t.Setenv(unprivilegedEnv, "1")
		want := "woken by psi triggers"
		if !psi {
			want = "woken by sampled available memory"
		}
		killsTheLeakSaying(t, want)
	})
}

func killsTheLeakSaying(t *testing.T, want string) {
	d := startDaemon(t)
	if !said(d.Process, want) {
		t.Errorf("lmkd does not say %q: %q", want, d.Lines())
	}
	h := hog(t, "leak", "leak", "-rate", "20")
	if !guest.Until(patience, func() bool { return !h.Alive() }) || h.Fate() != "signal: killed" {
		t.Errorf("the leak: %s", h.Fate())
	}
	_ = d.Terminate()
	_ = d.WaitExit(patience)
	if !said(d.Process, "Killed 'leak'") {
		t.Error("it was not lmkd's kill")
	}
}
