package kill_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/kill"
)

const (
	coreHelper  = "core-helper"
	corePattern = "/proc/sys/kernel/core_pattern"
)

// lingerOverCore is what the kernel pipes a core to: it says that it is there,
// and never reads.
func lingerOverCore(path string) {
	_ = os.WriteFile(path+".new", []byte(strconv.Itoa(os.Getpid())), 0o600)
	_ = os.Rename(path+".new", path)
	if bell, err := sys.NewEventfd(); err == nil { // that nobody rings
		_, _ = sys.PollFor(bell.Fd(), -1)
	}
	os.Exit(0)
}

// crashing starts a victim that is dumping core, and whose dump does not end.
func crashing(t *testing.T, mb int) prey {
	t.Helper()
	was, err := os.ReadFile(corePattern)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("/tmp", "core")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	note := filepath.Join(dir, "pid")
	pattern := "|" + self + " " + coreHelper + " " + note
	if len(pattern) > 127 {
		t.Fatalf("too long for a core pattern: %q", pattern)
	}
	if err := os.WriteFile(corePattern, []byte(pattern), 0); err != nil {
		t.Fatal("set the core pattern (needs root): ", err)
	}
	restore := func() { _ = os.WriteFile(corePattern, bytes.TrimSpace(was), 0) }
	t.Cleanup(restore)
	p := victim(t, "crash "+strconv.Itoa(mb))
	helper := 0
	until(t, func() bool {
		text, _ := os.ReadFile(note)
		helper, _ = strconv.Atoi(string(text))
		return helper != 0
	})
	restore()
	t.Cleanup(func() {
		if h, err := os.FindProcess(helper); err == nil {
			_ = h.Kill()
		}
	})
	return p
}

func TestDumpingCore(t *testing.T) {
	p := crashing(t, 32)
	v, err := kill.Open(p)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	until(t, func() bool { return v.Look().Holds&kill.Dumping != 0 })
	if c := v.Look(); !c.Dying || c.Dead {
		t.Errorf("%+v, want it dying", c)
	}
	if r, _, err := v.Reap(kill.DefaultRetry); r.Errno != reclaimSays(sys.EINVAL) || reclaims && !errors.Is(err, kill.ErrDumping) {
		t.Errorf("a reclaim during the dump: %v, %v, want ErrDumping", r.Errno, err)
	}
	expectGone(t, killed(t, p, kill.Expedited(patience)))
}
