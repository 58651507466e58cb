package process

import "github.com/lmkd/lmkd/pkg/victim"

const (
	// dyingRoom is kept among the candidates for the dying.
	dyingRoom = 4
	// dyingShare is the part of memory, as one over it, from which a process is
	// looked at though it can not win: it may be dying.
	dyingShare = 32
	// mostSuspected is how many of these are looked at.
	mostSuspected = 16
)

// findDying adds those who can not be chosen and are on their way out with much
// memory: victims that were given up, and the largest of all processes. Who has
// let go of the address space shows nothing any more, and is not found.
func (t *Table) findDying() {
	if !t.ask.Dying {
		return
	}
	for i := range t.ask.Query.Shun {
		t.addDying(t.ask.Query.Shun[i].PID)
	}
	read := 0
	for i := range t.rows {
		r := &t.rows[i]
		if r.flag != 0 || t.private(r) < t.ask.RAM/dyingShare || t.isFound(r.pid) {
			continue
		}
		if read++; read > mostSuspected {
			return
		}
		t.addDying(r.pid)
	}
}

// private bounds what a row has of its own.
func (t *Table) private(r *row) uint64 {
	if t.byScore {
		return r.rss + r.hint
	}
	return r.rss - min(r.rss, r.shared)
}

func (t *Table) isFound(pid int32) bool {
	for i := range t.found {
		if t.found[i].PID == pid {
			return true
		}
	}
	return false
}

func (t *Table) addDying(pid int32) {
	if pid <= 1 || t.isOwn(pid) || len(t.found) == cap(t.found) || t.isFound(pid) {
		return
	}
	p := &t.one
	*p = victim.Process{PID: pid, Flag: victim.Detailed}
	if t.phaseTwo(p) == isThere && p.Is(victim.Dying) && p.RssAnon > 0 {
		t.found = append(t.found, *p)
	}
}
