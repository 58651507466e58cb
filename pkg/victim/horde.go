package victim

// Horde is young processes that look alike and whose parents are no help: they
// were forked twice, and their parent is whoever adopts orphans, or they make a
// chain, each the child of one before.
type Horde struct {
	Largest int   // in the table
	Group   int32 // the process group of all of them, 0 when they have none together
	Count   int32
	Sum     uint64 // bytes that a kill of all would give back
}

// FindHorde gives the horde that would give back the most among those of at
// least least. Its members have one name, one oom_score_adj and one cgroup, and
// share their process group or who adopted them.
func (q *Query) FindHorde(pol *Policy, table []Process, least int) (Horde, bool) {
	var best Horde
	for i := range table {
		if h := q.horde(pol, table, i); int(h.Count) >= least && h.Sum > best.Sum {
			best = h
		}
	}
	return best, best.Count > 0
}

// horde gathers those like table[i].
func (q *Query) horde(pol *Policy, table []Process, i int) (h Horde) {
	one := &table[i]
	if !one.astray(table) {
		return h
	}
	h.Largest, h.Group = i, one.Group
	for j := range table {
		p := &table[j]
		if !p.alike(one) || !p.astray(table) || p.Brood > 0 || pol.Excluded(q, p) != Eligible {
			continue
		}
		if p.Group != one.Group {
			h.Group = 0
		}
		if q.Gain(p) > q.Gain(&table[h.Largest]) {
			h.Largest = j
		}
		h.Count++
		h.Sum += q.Gain(p)
	}
	return h
}

// alike tells whether p and one could be of the same horde.
func (p *Process) alike(one *Process) bool {
	return p.Comm == one.Comm && p.Adj == one.Adj && string(p.Cgroup) == string(one.Cgroup) &&
		(p.Group == one.Group && p.Group > 1 || p.PPID == one.PPID)
}

// astray tells whether p is young and its parent does not stand for it: it is an
// orphan, or its parent is young and alike.
func (p *Process) astray(table []Process) bool {
	if !p.Is(Young) || p.Is(Orphan) || p.PPID <= 1 {
		return p.Is(Young)
	}
	for i := range table {
		if parent := &table[i]; parent.PID == p.PPID {
			return parent.Is(Young) && parent.alike(p)
		}
	}
	return false
}

// LeadsHorde makes p stand for all of the horde, which dies as it says: with the
// whole process group that p leads, or AsBrood. within tells that p is of it.
func (p *Process) LeadsHorde(q *Query, h Horde, death Death, within bool) {
	if p.Death == AsProcess {
		p.Death = death
	}
	own := uint64(0)
	if p.Children = h.Count; within {
		own = q.Gain(p)
		p.Children--
	}
	p.Brood = h.Sum - min(h.Sum, own)
	p.Growth += p.Brood
}

// Resemble tells whether at least least of the young have one name, one
// oom_score_adj and one cgroup.
func Resemble(table []Process, least int) bool {
	for i := range table {
		n := 0
		for j := range table {
			if a, b := &table[i], &table[j]; a.Is(Young) && b.Is(Young) && a.Comm == b.Comm && a.Adj == b.Adj && string(a.Cgroup) == string(b.Cgroup) {
				n++
			}
		}
		if n > 0 && n >= least {
			return true
		}
	}
	return false
}
