package kill

import (
	"context"
	"strconv"
	"strings"

	"github.com/lmkd/lmkd/internal/sys"
)

// KillTree kills p and all its descendants, takes the memory of the large ones
// back, and waits until all are gone. The members are stopped before they are
// listed again, for a stopped process does not fork; when a list finds nobody
// new, all get SIGKILL. A descendant whose parent had ended before is not found:
// init has it. Signals other than SIGKILL are EINVAL.
func KillTree(ctx context.Context, p Process, o Options) (*GroupOutcome, error) {
	out := &GroupOutcome{Method: "one by one"}
	doing := "kill the tree of " + strconv.Itoa(p.PID())
	if o.Signal != 0 && o.Signal != sys.SIGKILL {
		return out, &opError{doing, sys.EINVAL}
	}
	b, err := newBurial(&o)
	if err != nil {
		return out, err
	}
	s := step()
	all, err := growTree(p, out)
	defer all.close()
	if err == nil {
		err = all.signal(sys.SIGKILL)
	} else {
		_ = all.signal(sys.SIGCONT)
	}
	out.Signal = s.done(sys.ErrnoOf(err))
	if err == nil {
		all.largestFirst()
		b.add(all)
		err = out.wait(ctx, o.Timeout, all.wait)
	}
	out.conclude(b, all)
	if err != nil {
		return out, &opError{doing, err}
	}
	return out, nil
}

// growTree opens and stops p, its children, theirs, and so on, until nobody new
// is found among them all.
func growTree(p Process, out *GroupOutcome) (members, error) {
	root, e := sys.Dup(p.Fd())
	if e != 0 {
		return nil, e
	}
	all := members{{PID: p.PID(), fd: root}}
	if v, err := Open(p); err == nil {
		all[0].Resident, _, _ = resident(v.dir.Int())
		_ = v.Close()
	}
	known := map[int]bool{p.PID(): true}
	fresh := all
	for out.Rounds = 1; len(fresh) > 0; out.Rounds++ {
		if err := fresh.signal(sys.SIGSTOP); err != nil {
			return all, err
		}
		out.Frozen = true
		next := members{}
		// Every round asks them all: one may have forked until its stop.
		for _, parent := range all {
			found, e := parent.children(known)
			next = append(next, found...)
			if e != 0 {
				return append(all, next...), &opError{"list the children of " + strconv.Itoa(parent.PID), e}
			}
		}
		fresh = next
		all = append(all, next...)
	}
	return all, nil
}

// children opens the children of m that are not known, and makes them so. One
// that still has m for its parent once its pidfd is open, both living, is it.
func (m *Member) children(known map[int]bool) (members, sys.Errno) {
	pids, e := childrenOf(m.PID)
	if e != 0 || m.dead() {
		return nil, e
	}
	var all members
	for _, pid := range pids {
		if known[pid] {
			continue
		}
		one, e := openMember(pid)
		if e != 0 {
			return all, e
		}
		if one == nil {
			continue
		}
		if parentOf(pid) != m.PID || one.dead() || m.dead() {
			_ = one.fd.Close()
			continue
		}
		known[pid] = true
		all = append(all, one)
	}
	return all, 0
}

func parentOf(pid int) int {
	dir, e := procDir(pid)
	if e != 0 {
		return 0
	}
	defer func() { _ = dir.Close() }()
	s, _ := readStat(dir.Int(), "stat")
	return s.parent
}

// childrenOf asks every thread for the children that it forked
// (/proc/PID/task/TID/children, CONFIG_PROC_CHILDREN); a kernel without that
// has all processes looked at.
func childrenOf(pid int) (pids []int, e sys.Errno) {
	dir, e := procDir(pid)
	if e != 0 {
		return nil, 0 // it has ended
	}
	defer func() { _ = dir.Close() }()
	lacking := false
	_ = eachNumber(dir.Int(), "task", func(tid int) bool {
		buf := make([]byte, 64<<10)
		text, e := sys.ReadFileAt(dir.Int(), []byte("task/"+strconv.Itoa(tid)+"/children\x00"), buf)
		lacking = lacking || e == sys.ENOENT && exists(dir.Int(), tid)
		for word := range strings.FieldsSeq(string(text)) {
			if child, err := strconv.Atoi(word); err == nil {
				pids = append(pids, child)
			}
		}
		return true
	})
	if lacking {
		return scanChildren(pid)
	}
	return pids, 0
}

func exists(dir, tid int) bool {
	_, e := readStat(dir, "task/"+strconv.Itoa(tid)+"/stat")
	return e == 0
}

// scanChildren looks for them among all processes.
func scanChildren(pid int) (pids []int, e sys.Errno) {
	proc, e := sys.OpenPath("/proc", sys.ReadOnly|sys.Directory)
	if e != 0 {
		return nil, e
	}
	defer func() { _ = proc.Close() }()
	e = eachNumber(proc.Int(), ".", func(child int) bool {
		s, e := readStat(proc.Int(), strconv.Itoa(child)+"/stat")
		if e == 0 && s.parent == pid {
			pids = append(pids, child)
		}
		return true
	})
	return pids, e
}
