package process

import (
	"bytes"

	"github.com/lmkd/lmkd/pkg/victim"
)

// Members appends to out the processes that are in the cgroup at path or below
// it, as far as out has room. Init, the daemon with its ancestors, and those at
// oom_score_adj -1000 are left out; of the root cgroup, "/", everybody is. It
// reads cgroup of every process.
func (t *Table) Members(path []byte, out []int32) []int32 {
	_ = t.list(func(pid int32) {
		if len(out) < cap(out) && t.InCgroup(pid, path) {
			out = append(out, pid)
		}
	})
	return out
}

// InCgroup tells whether Members would give a process.
func (t *Table) InCgroup(pid int32, path []byte) bool {
	if pid <= 1 || len(path) < 2 || t.isOwn(pid) {
		return false
	}
	t.setProcess(pid)
	if at := t.cgroupOf(); !bytes.HasPrefix(at, path) || len(at) > len(path) && at[len(path)] != '/' {
		return false
	}
	p := &t.one
	*p = victim.Process{PID: pid}
	return t.readAdj(p) == isThere && p.Adj > -1000
}

// cgroupOf gives the path that the memory of the process that was set is charged
// to, valid until the next read.
func (t *Table) cgroupOf() (unified []byte) {
	l := t.lines("cgroup")
	for {
		line, ok := l.next()
		if !ok {
			return unified
		}
		path, memory, ok := cgroupPath(line)
		if ok && memory {
			return path
		}
		if ok && path != nil {
			unified = path
		}
	}
}
