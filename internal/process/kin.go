package process

import "slices"

// kin is how one process is related to others.
type kin struct{ pid, ppid, group, session int32 }

// readKin reads stat of every process, once in a choice.
func (t *Table) readKin() {
	if t.kinRead {
		return
	}
	t.kinRead, t.kin = true, t.kin[:0]
	_ = t.list(func(pid int32) {
		t.setProcess(pid)
		if s, e, err := t.readStat(); e == 0 && err == nil && !s.dead() && !s.is(flagKernel) {
			t.kin = append(t.kin, kin{pid, s.ppid, s.group, s.session})
		}
	})
	slices.SortFunc(t.kin, func(a, b kin) int { return int(a.pid) - int(b.pid) })
}
