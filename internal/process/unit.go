package process

import (
	"bytes"
	"strconv"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/victim"
)

// The limits of units: of how many a choice knows the sum, how many members are
// counted of one, and how long the names of those who are spared may be together.
const (
	mostUnits   = 16
	mostMembers = 512
	sparedSize  = 200
)

// unit is what dies with a candidate.
type unit struct {
	death   victim.Death
	cgroup  []byte // the path of the one that dies
	id      int32  // the root of the tree, the session, or the process group
	sum     uint64 // bytes that a kill of all would give back
	growth  uint64 // of that, what came in this episode
	members int32  // who die
	spared  []byte
}

// unite gives every candidate that dies with others what they give back
// together: it is ranked by the sum.
func (t *Table) unite() {
	t.unitsUsed = 0
	for i := range t.found {
		p := &t.found[i]
		if d := p.Dies(); d == victim.AsProcess || d == victim.AsBrood || t.ask.Policy.Excluded(&t.ask.Query, p) != victim.Eligible {
			continue
		}
		u := t.unitOf(p)
		if u == nil {
			continue
		}
		p.Unit = u.sum - min(u.sum, t.alone(p))
		p.Members, p.Spared = max(0, u.members-1), u.spared
		p.Growth = max(p.Growth, u.growth)
	}
}

// alone is what p gives back without company.
func (t *Table) alone(p *victim.Process) uint64 {
	one := *p
	one.Brood, one.Unit = 0, 0
	return t.ask.Query.Gain(&one)
}

// unitOf gives the unit of p, summed up when it is the first of it; nil when
// there are too many units.
func (t *Table) unitOf(p *victim.Process) *unit {
	u := unit{death: p.Dies(), cgroup: p.DyingCgroup()}
	switch u.death {
	case victim.AsTree:
		u.id = p.PID
	case victim.AsSession:
		u.id = p.Session
	case victim.AsGroup:
		u.id = p.Group
	}
	for i := range t.units[:t.unitsUsed] {
		if same := &t.units[i]; same.death == u.death && same.id == u.id && bytes.Equal(same.cgroup, u.cgroup) {
			return same
		}
	}
	if t.unitsUsed == len(t.units) {
		return nil
	}
	t.sumUp(&u)
	t.units[t.unitsUsed] = u
	t.unitsUsed++
	return &t.units[t.unitsUsed-1]
}

// sumUp adds the members of u.
func (t *Table) sumUp(u *unit) {
	t.members = t.members[:0]
	switch {
	case u.death == victim.AsTree:
		t.enlist(u, u.id)
		t.readKin()
		for known := -1; known != len(t.members); {
			known = len(t.members)
			for i := range t.kin {
				if k := &t.kin[i]; contains(t.members, k.ppid) && !contains(t.members, k.pid) {
					t.enlist(u, k.pid)
				}
			}
		}
	case u.death == victim.AsSession || u.death == victim.AsGroup:
		t.readKin()
		for i := range t.kin {
			if k := &t.kin[i]; u.id > 1 && (u.death == victim.AsSession && k.session == u.id || u.death == victim.AsGroup && k.group == u.id) {
				t.enlist(u, k.pid)
			}
		}
	case t.groupRoot.Open() && !t.onV1:
		t.eachInGroup(u.cgroup, func(pid int32) { t.enlist(u, pid) })
		t.correct(u)
	default:
		t.pids = t.Members(u.cgroup, t.pids[:0])
		for i := range t.pids {
			t.enlist(u, t.pids[i])
		}
	}
}

// enlist counts one process to u, unless it is spared or on its way out.
func (t *Table) enlist(u *unit, pid int32) {
	p := t.memberOf(pid)
	switch {
	case t.ask.Policy.Spares(p, u.cgroup):
		t.noteSpared(u, p)
		return
	case p.Flag&(victim.Vanished|victim.Zombie) != 0 || u.members == mostMembers:
		return
	case len(t.members) < cap(t.members):
		t.members = append(t.members, pid)
	}
	gain := t.alone(p)
	u.members++
	u.sum += gain
	u.growth += min(p.Growth, gain)
}

// memberOf gives a process as phase two reads it, and keeps no text of it.
func (t *Table) memberOf(pid int32) *victim.Process {
	for i := range t.found {
		if t.found[i].PID == pid {
			return &t.found[i]
		}
	}
	p := &t.member
	*p = victim.Process{PID: pid}
	used, groups := t.textUsed, t.groupsRead
	switch out := t.wholeParent(p); {
	case out != isThere:
		p.Flag |= victim.Vanished
	case p.Flag == 0 && pid > 1:
		t.detail(p)
	default:
		t.nameOf(p)
	}
	t.textUsed, t.groupsRead = used, groups
	return p
}

// nameOf reads the name of one that is spared whatever else it is.
func (t *Table) nameOf(p *victim.Process) {
	t.setProcess(p.PID)
	if s, e, err := t.readStat(); e == 0 && err == nil {
		p.SetName(s.name)
	}
}

// noteSpared notes who lives on.
func (t *Table) noteSpared(u *unit, p *victim.Process) {
	var buf [victim.CommSize + 16]byte
	one := append(strconv.AppendInt(buf[:0], int64(p.PID), 10), ' ')
	one = append(append(one, p.Comm[:p.CommLen]...), 0)
	if u.spared == nil {
		u.spared = t.reserve(sparedSize)
	}
	if len(u.spared)+len(one) <= cap(u.spared) {
		u.spared = append(u.spared, one...)
	}
}

// reserve takes room for a text that is written later.
func (t *Table) reserve(size int) []byte {
	t.keep(t.line[:size])
	return t.text[t.textUsed-size : t.textUsed-size : t.textUsed]
}

// correct bounds the sum of a cgroup by what is charged to it: pages that its
// processes share, after a fork for one, are in each of them. Of more processes
// than are counted it is the charge that counts.
func (t *Table) correct(u *unit) {
	charge, ok := t.charge(u.cgroup)
	if ok && (charge < u.sum || u.members == mostMembers) {
		u.sum = charge
	}
}

// charge is what a cgroup would give back if all in it died: anonymous memory,
// what is mapped of its shmem or can not be reclaimed, and its swap.
func (t *Table) charge(path []byte) (uint64, bool) {
	n, e := t.inGroup(path, "memory.stat", t.line)
	if e != 0 {
		return 0, false
	}
	s, ok := parseMemoryStat(t.line[:n])
	if !ok {
		return 0, false
	}
	n, e = t.inGroup(path, "memory.swap.current", t.line[:quickSize])
	if e == 0 {
		s.swap, _ = number(bytes.TrimSuffix(t.line[:n], []byte{'\n'}))
	}
	mapped := min(s.mapped, s.shmem+s.unevictable)
	if t.ask.Query.CountFile {
		mapped = s.mapped
	}
	one := victim.Process{Flag: victim.Detailed, RssAnon: s.anon, RssShmem: mapped, Swap: s.swap}
	return t.ask.Query.Gain(&one), true
}

// eachInGroup gives the processes of the cgroup at path and of those below it.
func (t *Table) eachInGroup(path []byte, each func(pid int32)) {
	dir, e := sys.OpenAt(t.groupRoot.Int(), t.groupPath(path, ""), sys.ReadOnly|sys.Directory)
	if e != 0 {
		return
	}
	t.pids = t.pids[:0]
	_ = t.gather(dir.Int(), 0)
	_ = dir.Close()
	for i := range t.pids {
		each(t.pids[i])
	}
}
