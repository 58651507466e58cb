package process

import (
	"slices"
	"strings"

	"github.com/lmkd/lmkd/internal/sys"
)

const (
	// cgroupDepth is how many cgroups may lie in one another: cgroup.max.depth has
	// no limit by default, and nothing that is known goes deeper than a dozen.
	cgroupDepth = 24
	// cgroupEntries holds the names of a cgroup's files in one read.
	cgroupEntries = 4 << 10
)

// Subtree is a cgroup (v2) and all below it, as the place of a choice. Its owner
// closes it.
type Subtree struct {
	dir   sys.FD
	path  []byte // as /proc/PID/cgroup has it; what cgroups above it say does not count
	owner uint32
}

// Subtree opens the directory of a cgroup, "/sys/fs/cgroup/user.slice", for
// choices of this table.
func (t *Table) Subtree(dir string) (*Subtree, error) {
	t.makeEntries()
	fd, e := sys.OpenPath(dir, sys.ReadOnly|sys.Directory)
	if e != 0 {
		return nil, &sys.OpError{Doing: "open cgroup " + dir, Errno: e}
	}
	s := &Subtree{dir: fd, path: []byte(strings.TrimPrefix(dir, t.groupDir))}
	if s.owner, e = sys.Owner(fd.Int()); e != 0 {
		s.Close()
		return nil, &sys.OpError{Doing: "look at cgroup " + dir, Errno: e}
	}
	return s, nil
}

// makeEntries makes room for walks through cgroups.
func (t *Table) makeEntries() {
	if t.entries == nil {
		t.entries = make([]byte, (cgroupDepth+1)*cgroupEntries)
	}
}

// Close gives the descriptor back.
func (s *Subtree) Close() { _ = s.dir.Close() }

var procsName = []byte("cgroup.procs\x00")

// scanWithin is phase one of the processes in a subtree.
func (t *Table) scanWithin(s *Subtree) error {
	t.pids = t.pids[:0]
	if e := t.gather(s.dir.Int(), 0); e != 0 {
		return &sys.OpError{Doing: "list the processes of a cgroup", Errno: e}
	}
	slices.Sort(t.pids) // in the order of /proc, which settles ties
	for _, pid := range t.pids {
		t.visit(pid)
	}
	return nil
}

// gather adds the processes of a cgroup and of those below it to pids. A cgroup
// that is removed meanwhile has none; one in threaded mode tells of none either:
// its processes stand in the cgroup above it.
func (t *Table) gather(dir, depth int) sys.Errno {
	if fd, e := sys.OpenAt(dir, procsName, sys.ReadOnly); e == 0 {
		t.readPids(fd.Int())
		_ = fd.Close()
	}
	if depth == cgroupDepth {
		return 0
	}
	entries := t.cgroupEntries(depth)
	if e := sys.Rewind(dir); e != 0 {
		return e
	}
	for {
		n, e := sys.Getdents(dir, entries)
		if e != 0 || n == 0 {
			return 0
		}
		t.gatherBelow(dir, depth, entries[:n])
	}
}

func (t *Table) gatherBelow(dir, depth int, entries []byte) {
	for len(entries) > 0 {
		isDir := sys.DirentIsDir(entries)
		name, rest := sys.NextDirent(entries)
		if name == nil {
			return
		}
		entries = rest
		if !isDir || name[0] == '.' {
			continue
		}
		t.path = append(append(t.path[:0], name...), 0)
		if fd, e := sys.OpenAt(dir, t.path, sys.ReadOnly|sys.Directory); e == 0 {
			_ = t.gather(fd.Int(), depth+1)
			_ = fd.Close()
		}
	}
}

// cgroupEntries gives the buffer of one depth; a name in it is read on while
// those below it are listed.
func (t *Table) cgroupEntries(depth int) []byte {
	return t.entries[depth*cgroupEntries : (depth+1)*cgroupEntries]
}

// readPids adds the pids that a cgroup.procs tells, one a line, as far as there is
// room. 0 is a process of another pid namespace.
func (t *Table) readPids(fd int) {
	pid := int32(0)
	for off := int64(0); ; {
		n, e := sys.ReadAt(fd, t.dirents, off)
		if e != 0 || n == 0 {
			return
		}
		off += int64(n)
		for _, c := range t.dirents[:n] {
			if c >= '0' && c <= '9' {
				pid = pid*10 + int32(c-'0')
				continue
			}
			if pid > 0 && len(t.pids) < cap(t.pids) {
				t.pids = append(t.pids, pid)
			}
			pid = 0
		}
	}
}

// isWithin tells whether a choice may take a process that it has not listed: in a
// subtree only what is in there.
func (t *Table) isWithin(pid int32) bool {
	if t.ask.Within == nil {
		return true
	}
	_, ok := slices.BinarySearch(t.pids, pid)
	return ok
}
