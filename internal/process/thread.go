package process

import "github.com/lmkd/lmkd/internal/sys"

// livingThread finds a thread of pid, beside the leader, that has memory, and
// leaves the thread set as what file reads. It gives the thread's statm.
func (t *Table) livingThread(pid int32) (tid int32, m statm, ok bool) {
	t.setProcess(pid)
	dir, e := t.directory("task")
	if e != 0 {
		return 0, statm{}, false
	}
	defer func() { _ = dir.Close() }()
	buf := t.line[statmSize:] // statm is read into what is before
	for {
		n, e := sys.Getdents(dir.Int(), buf)
		if n == 0 || e != 0 {
			return 0, statm{}, false
		}
		for name, rest := sys.NextDirent(buf[:n]); name != nil; name, rest = sys.NextDirent(rest) {
			tid, ok := count(name)
			if !ok || tid == pid {
				continue
			}
			t.setThread(pid, tid)
			if m, out := t.readStatm(); out == isThere && m.size > 0 {
				return tid, m, true
			}
		}
	}
}
