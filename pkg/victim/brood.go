package victim

// Brood is what many young children of one parent would give back together.
type Brood struct {
	Parent   int32
	Children int32
	Sum      uint64 // bytes
}

// FindBrood gives the brood that would give back the most among those of at
// least least children, or of any number when the query says that victims of
// this episode had that parent. Children of a brood are young, of one parent, of
// one name and of one oom_score_adj: a program that sets that of its children,
// as browsers do, looks after them itself.
func (q *Query) FindBrood(pol *Policy, table []Process, least int) (Brood, bool) {
	var best Brood
	for i := range table {
		b := q.brood(pol, table, i)
		if (int(b.Children) >= least || q.bereaves(b.Parent)) && b.Children > 0 && b.Sum > best.Sum {
			best = b
		}
	}
	return best, best.Children > 0
}

// bereaves tells whether several victims of this episode had that parent.
func (q *Query) bereaves(parent int32) bool { return q.Bereaved != 0 && q.Bereaved == parent }

// brood gathers the siblings of table[i].
func (q *Query) brood(pol *Policy, table []Process, i int) (b Brood) {
	one := &table[i]
	if one.PPID <= 1 {
		return b
	}
	b.Parent = one.PPID
	for j := range table {
		p := &table[j]
		if p.PPID != one.PPID || !p.Is(Young) || p.Brood > 0 || pol.Excluded(q, p) != Eligible {
			continue
		}
		if q.bereaves(p.PPID) || p.Adj == one.Adj && p.Comm == one.Comm {
			b.Children++
			b.Sum += q.Gain(p)
		}
	}
	return b
}

// Leads makes p, the parent, stand for the brood as well.
func (p *Process) Leads(b Brood) {
	p.Brood, p.Children = b.Sum, b.Children
	p.Growth += b.Sum
}
