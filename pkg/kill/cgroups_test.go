package kill_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// cgroup is one that a test made, on v1 or v2.
type cgroup struct {
	dir string
	v2  bool
}

// newCgroup makes a cgroup that has the controller; "" is v2 without any.
func newCgroup(t testing.TB, controller string) cgroup {
	t.Helper()
	c := cgroup{dir: filepath.Join("/sys/fs/cgroup", controller)}
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err == nil {
		c = cgroup{"/sys/fs/cgroup", true}
	} else if controller == "" {
		c = cgroup{"/sys/fs/cgroup/unified", true}
	}
	var err error
	if c.dir, err = os.MkdirTemp(c.dir, "lmkd-kill-"); err != nil {
		t.Fatal("make a cgroup (needs root): ", err)
	}
	t.Cleanup(func() {
		if err := os.Remove(c.dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
	})
	return c
}

func (c cgroup) set(t testing.TB, file, value string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(c.dir, file), []byte(value), 0); err != nil {
		t.Fatal(err)
	}
}

func (c cgroup) get(t testing.TB, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(c.dir, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(bytes.TrimSpace(text))
}

// join moves a process into the group.
func (c cgroup) join(t testing.TB, pid int) {
	t.Helper()
	c.set(t, "cgroup.procs", strconv.Itoa(pid))
}

// empty fails the test if somebody is left in the group.
func (c cgroup) empty(t testing.TB) {
	t.Helper()
	for pid := range strings.FieldsSeq(c.get(t, "cgroup.procs")) {
		stat, _ := os.ReadFile("/proc/" + pid + "/stat")
		if !bytes.Contains(stat, []byte(") Z ")) && len(stat) > 0 { // v1 lists zombies
			t.Errorf("still there: %s", stat)
		}
	}
}

// limitMemory keeps the group's memory below mb.
func (c cgroup) limitMemory(t testing.TB, mb int) {
	t.Helper()
	file := "memory.limit_in_bytes"
	if c.v2 {
		file = "memory.max"
	}
	c.set(t, file, strconv.Itoa(mb<<20))
}

// own gives the victim a memory cgroup to itself from its first page on: it is
// moved there before it plays.
func boxed(t testing.TB, limitMB int, part string) (prey, cgroup) {
	t.Helper()
	c := newCgroup(t, "memory")
	c.limitMemory(t, limitMB)
	p := victim(t, "wait "+part, func(pid int) { c.join(t, pid) })
	return p, c
}
