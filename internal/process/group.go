package process

import (
	"bytes"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/victim"
)

// mostGroups is of how many cgroups a choice keeps what it read; of more it
// reads again.
const mostGroups = 128

// group is one cgroup of version 2, by its path.
type group struct {
	path       []byte
	whole      bool        // memory.oom.group is 1
	preference victim.Flag // Avoided or Omitted
	preferred  bool        // preference was read
}

// openGroups opens the tree of cgroups, if it is one of version 2: only there
// memory has what is read here.
func (t *Table) openGroups(dir string) {
	if t.groupDir = dir; exists(dir + "/cgroup.controllers") {
		t.groupRoot, _ = sys.OpenPath(dir, sys.ReadOnly|sys.Directory)
		t.makeEntries()
	}
}

// heed fills in what the cgroup of p says of its death: memory.oom.group of the
// topmost one on its path counts, as with the kernel (mem_cgroup_get_oom_group),
// and systemd's preference of its own cgroup, and of the one that would die as a
// whole. What can not be read says nothing.
func (t *Table) heed(p *victim.Process) {
	pol := t.ask.Policy
	if !t.groupRoot.Open() || len(p.Cgroup) < 2 || t.onV1 || bytes.Contains(p.Cgroup, []byte("/..")) {
		return
	}
	if pol.OOMGroup {
		p.OOMGroup = int32(t.oomGroup(p.Cgroup))
	}
	if pol.Preference {
		p.Flag |= t.preference(p.Cgroup)
		if p.OOMGroup > 0 && int(p.OOMGroup) < len(p.Cgroup) {
			p.Flag |= t.preference(p.Cgroup[:p.OOMGroup])
		}
	}
}

// oomGroup gives the length of the part of path that dies as a whole, from the
// top down, but not above what the domain watches; 0 for none.
func (t *Table) oomGroup(path []byte) int {
	top := 1
	if t.ask.Within != nil {
		top = max(1, len(t.ask.Within.path))
	}
	for end := top; end <= len(path); end++ {
		if end < len(path) && path[end] != '/' || end == 1 {
			continue
		}
		if g := t.group(path[:end]); g.whole {
			return end
		}
	}
	return 0
}

// group gives what is known of a cgroup, read once in a choice.
func (t *Table) group(path []byte) *group {
	for i := range t.groups[:t.groupsRead] {
		if g := &t.groups[i]; bytes.Equal(g.path, path) {
			return g
		}
	}
	g := &t.groups[min(t.groupsRead, mostGroups-1)]
	t.groupsRead = min(t.groupsRead+1, mostGroups-1) // the last place is for one call
	n, e := t.inGroup(path, "memory.oom.group", t.line[:quickSize])
	*g = group{path: path, whole: e == 0 && n > 0 && t.line[0] == '1'}
	return g
}

// preference gives what systemd wrote on a cgroup.
func (t *Table) preference(path []byte) victim.Flag {
	g := t.group(path)
	if !g.preferred {
		g.preferred = true
		g.preference = t.readPreference(t.groupPath(path, ""))
	}
	return g.preference
}

// groupPath makes the path of a file of a cgroup below the tree of cgroups.
func (t *Table) groupPath(path []byte, name string) []byte {
	t.path = append(t.path[:0], path[1:]...)
	if name != "" {
		t.path = append(append(t.path, '/'), name...)
	}
	t.path = append(t.path, 0)
	return t.path
}

// inGroup reads a file of a cgroup.
func (t *Table) inGroup(path []byte, name string, buf []byte) (int, sys.Errno) {
	return t.read(t.groupRoot.Int(), t.groupPath(path, name), 0, buf)
}

// The extended attributes of ManagedOOMPreference (systemd.resource-control(5)),
// and how long a value may be.
var (
	avoidName = []byte("user.oomd_avoid\x00")
	omitName  = []byte("user.oomd_omit\x00")
)

const xattrSize = 8

// readPreference reads systemd's setting. As for systemd-oomd it counts only
// where root owns the cgroup, or whoever owns the one that the domain watches:
// others could spare themselves by it.
func (t *Table) readPreference(path []byte) (f victim.Flag) {
	fd, e := sys.OpenAt(t.groupRoot.Int(), path, sys.ReadOnly|sys.Directory)
	if e != 0 {
		return 0
	}
	defer func() { _ = fd.Close() }()
	owner, e := sys.Owner(fd.Int())
	if e != 0 || owner != 0 && (t.ask.Within == nil || owner != t.ask.Within.owner) {
		return 0
	}
	if t.says(fd.Int(), avoidName) {
		f |= victim.Avoided
	}
	if t.says(fd.Int(), omitName) {
		f |= victim.Omitted
	}
	return f
}

func (t *Table) says(fd int, name []byte) bool {
	n, e := t.xattr(fd, name, t.line[:xattrSize])
	return e == 0 && parseYes(t.line[:n])
}

// parseYes reads a switch as systemd does (parse_boolean).
func parseYes(b []byte) bool {
	for _, yes := range [...]string{"1", "yes", "y", "true", "t", "on"} {
		if bytes.EqualFold(b, []byte(yes)) {
			return true
		}
	}
	return false
}
