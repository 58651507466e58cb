// Package boxtest runs a process in a cgroup with little memory, for tests that
// need real reclaim, real stalls and real OOM kills without harm to the machine.
// It works on cgroup v2, v1 and both at once, needs root, and is imported by
// tests only.
package boxtest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Box is a cgroup whose memory is limited. It goes away with the test.
type Box struct {
	// V2 is its directory on the cgroup v2 hierarchy, whose memory.pressure
	// counts the stalls in the box; "" when there is no such hierarchy.
	V2   string
	dirs []string
}

// New makes a box of limit bytes without swap. It fails the test when cgroups
// cannot be made here.
func New(t testing.TB, limit uint64) *Box {
	t.Helper()
	b := &Box{}
	v1, v2 := hierarchies(t)
	if v2 != "" {
		b.V2 = b.mkdir(t, v2)
	}
	switch {
	case v1 != "":
		dir := b.mkdir(t, v1)
		set(t, dir, "memory.limit_in_bytes", limit)
		trySet(dir, "memory.memsw.limit_in_bytes", limit)
	case v2 != "":
		// The controller may be handed down already, or not be known at all,
		// which the limit then tells.
		_ = os.WriteFile(filepath.Join(v2, "cgroup.subtree_control"), []byte("+memory"), 0)
		set(t, b.V2, "memory.max", limit)
		trySet(b.V2, "memory.swap.max", 0)
	default:
		t.Fatal("no memory cgroup is mounted: mount -t cgroup2 none /sys/fs/cgroup")
	}
	return b
}

// hierarchies finds where the v1 memory controller and v2 are mounted.
func hierarchies(t testing.TB) (v1, v2 string) {
	t.Helper()
	text, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) < 4 {
			continue
		}
		switch {
		case f[2] == "cgroup2":
			v2 = f[1]
		case f[2] == "cgroup" && strings.Contains(","+f[3]+",", ",memory,"):
			v1 = f[1]
		}
	}
	return v1, v2
}

func (b *Box) mkdir(t testing.TB, parent string) string {
	t.Helper()
	dir, err := os.MkdirTemp(parent, "lmkd-test-")
	if err != nil {
		t.Fatal(fmt.Errorf("make a cgroup (needs root): %w", err))
	}
	t.Cleanup(func() {
		if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
	})
	b.dirs = append(b.dirs, dir)
	return dir
}

func set(t testing.TB, dir, file string, value uint64) {
	t.Helper()
	if err := trySet(dir, file, value); err != nil {
		t.Fatal(err)
	}
}

func trySet(dir, file string, value uint64) error {
	return os.WriteFile(filepath.Join(dir, file), strconv.AppendUint(nil, value, 10), 0)
}

// Start runs this test binary in the box with the environment variable job set
// to task: TestMain is to look for it, call Wait, and do the task. The process
// is killed and waited for at the test's end, if it is not over.
func (b *Box) Start(t testing.TB, job, task string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", "-test.run=^$")
	cmd.Env = append(os.Environ(), job+"="+task, "GOMAXPROCS=1")
	gate, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for _, dir := range b.dirs {
		set(t, dir, "cgroup.procs", uint64(cmd.Process.Pid))
	}
	if err := gate.Close(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

// Wait returns once the process is in its box.
func Wait() { _, _ = io.Copy(io.Discard, os.Stdin) }
