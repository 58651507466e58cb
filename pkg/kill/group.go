package kill

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/lmkd/lmkd/internal/sys"
)

// Group is a cgroup that is to be killed with all that is below it.
type Group struct {
	path   string
	events sys.FD // cgroup.events; none on v1
}

// OpenGroup opens the cgroup whose directory is path. On v1 any hierarchy will
// do; in the freezer's, a kill without cgroup.kill can hold the members still.
func OpenGroup(path string) (*Group, error) {
	g := &Group{path: filepath.Clean(path)}
	if _, e := readFile(filepath.Join(g.path, "cgroup.procs")); e != 0 {
		return nil, &opError{"open cgroup " + g.path, e}
	}
	var e sys.Errno
	g.events, e = sys.OpenPath(filepath.Join(g.path, "cgroup.events"), sys.ReadOnly)
	if e != 0 && e != sys.ENOENT {
		return nil, &opError{"open cgroup " + g.path, e}
	}
	return g, nil
}

// Fd gives a descriptor that raises EPOLLPRI when Populated may have changed;
// -1 on v1, where nothing tells. It is borrowed until Close.
func (g *Group) Fd() int { return g.events.Int() }

// Populated reports whether a process that is not yet dead is in the group or
// below it. Each call arms Fd anew. A group that was removed is empty.
func (g *Group) Populated() (bool, error) {
	if !g.events.Open() {
		pids, err := g.pids()
		return len(pids) > 0, err
	}
	var buf [256]byte
	n, e := sys.ReadFull(g.events.Int(), buf[:])
	switch {
	case e == sys.ENODEV || e == sys.ENOENT:
		return false, nil
	case e != 0:
		return true, &opError{"read " + g.path + "/cgroup.events", e}
	}
	return populated(string(buf[:n])), nil
}

// populated reads cgroup.events: "populated 1\nfrozen 0\n".
func populated(events string) bool { return !strings.Contains(events, "populated 0") }

// KillAll sends SIGKILL to every process of the group at once, forks included,
// by cgroup.kill (Linux 5.14). ENOENT: this kernel or v1 has no such file.
func (g *Group) KillAll() Step {
	s := step()
	return s.done(writeFile(filepath.Join(g.path, "cgroup.kill"), "1"))
}

// Wait waits until the group is empty, or ctx is done: its cause is the error.
// On v1 it can not: EOPNOTSUPP.
func (g *Group) Wait(ctx context.Context) error {
	if !g.events.Open() {
		return &opError{"wait for cgroup " + g.path, sys.EOPNOTSUPP}
	}
	var err error
	empty := func() bool {
		var some bool
		some, err = g.Populated()
		return !some || err != nil
	}
	if e := awaitReady(ctx, []int{g.events.Int()}, sys.Pri, empty); e != nil {
		return e
	}
	return err
}

// Close gives the descriptor back.
func (g *Group) Close() error { return g.events.Close() }

// pids lists the processes of the group and of those below it.
func (g *Group) pids() ([]int, error) {
	var pids []int
	err := filepath.WalkDir(g.path, func(path string, entry fs.DirEntry, err error) error {
		if err != nil && errors.Is(err, os.ErrNotExist) {
			return nil // removed meanwhile
		}
		if err != nil || !entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(filepath.Join(path, "cgroup.procs"))
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, sys.ENODEV) || errors.Is(err, sys.EOPNOTSUPP) {
			return nil // removed, or a threaded cgroup, whose domain lists them
		}
		for word := range strings.FieldsSeq(string(text)) {
			if pid, err := strconv.Atoi(word); err == nil && pid > 0 {
				pids = append(pids, pid)
			}
		}
		return err
	})
	return pids, err
}

// open opens the processes that are not in known and map at least so many bytes.
// One that is still listed once its pidfd is open, and lives, is the one that was
// listed.
func (g *Group) open(known map[int]bool, least uint64) (members, error) {
	listed, err := g.pids()
	if err != nil {
		return nil, &opError{"list cgroup " + g.path, err}
	}
	var all members
	for _, pid := range listed {
		if known[pid] || least > 0 && sizeOf(pid) < least {
			continue
		}
		one, e := openMember(pid)
		if e != 0 {
			all.close()
			return nil, &opError{"open process " + strconv.Itoa(pid) + " of cgroup " + g.path, e}
		}
		if one != nil {
			all = append(all, one)
		}
	}
	again, err := g.pids()
	if err != nil {
		all.close()
		return nil, &opError{"list cgroup " + g.path, err}
	}
	return all.still(again), nil
}

// still keeps those that are listed again and live.
func (m members) still(listed []int) members {
	there := make(map[int]bool, len(listed))
	for _, pid := range listed {
		there[pid] = true
	}
	kept := m[:0]
	for _, one := range m {
		if there[one.PID] && !one.dead() {
			kept = append(kept, one)
		} else {
			_ = one.fd.Close()
		}
	}
	return kept
}

// InGroup reports whether pid is in the cgroup at path or below it, as far as
// its lists tell.
func InGroup(path string, pid int) bool {
	pids, _ := (&Group{path: filepath.Clean(path)}).pids()
	return slices.Contains(pids, pid)
}
