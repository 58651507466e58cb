package process

// Descendants appends to out the processes that descend from pid, in no order,
// as far as out has room; those at oom_score_adj -1000 are left out, with what
// descends from them alone. It reads stat of every process, once for each
// generation.
func (t *Table) Descendants(pid int32, out []int32) []int32 {
	from := len(out)
	for grown := -1; grown != len(out) && len(out) < cap(out); {
		grown = len(out)
		_ = t.list(func(child int32) {
			if len(out) < cap(out) && child != pid && !contains(out[from:], child) && t.descends(child, pid, out[from:]) {
				out = append(out, child)
			}
		})
	}
	return out
}

// descends tells whether the parent of child is pid or one of known.
func (t *Table) descends(child, pid int32, known []int32) bool {
	t.setProcess(child)
	s, e, err := t.readStat()
	if e != 0 || err != nil || s.dead() || s.ppid != pid && !contains(known, s.ppid) {
		return false
	}
	p := &t.one
	p.PID = child
	return t.readAdj(p) == isThere && p.Adj > -1000
}

func contains(pids []int32, pid int32) bool {
	for _, one := range pids {
		if one == pid {
			return true
		}
	}
	return false
}

// Parent gives the pid of the parent of a process that lives, 0 of one that
// does not.
func (t *Table) Parent(pid int32) int32 {
	t.setProcess(pid)
	s, e, err := t.readStat()
	if e != 0 || err != nil || s.dead() {
		return 0
	}
	return s.ppid
}
