package process

import (
	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/internal/taskiter"
	"github.com/lmkd/lmkd/pkg/victim"
)

// Tasks is one pass through all processes in the kernel, a taskiter.Iter.
type Tasks interface {
	// Begin opens a pass, from which records are read to its end.
	Begin() (sys.FD, sys.Errno)
	// Delayed says that its counts may be behind the truth.
	Delayed() bool
}

// loose is the part of all memory by which a pass may be behind at most: with
// more, its bounds would tell nobody apart, and the files are read.
const loose = 64

// walks tells whether phase one is a pass in the kernel, for this question.
func (t *Table) walks() bool {
	if t.options.Tasks == nil {
		return false
	}
	t.behind = 0
	if t.options.Tasks.Delayed() {
		t.behind = t.machine.slack * t.pageSize
	}
	return t.behind*loose <= t.ask.RAM
}

// walk is phase one in one pass: exact classes, and sizes that are bounds. When
// the kernel does not let it come to its end, what it found is forgotten.
func (t *Table) walk() sys.Errno {
	fd, e := t.options.Tasks.Begin()
	if tableIsFull(e) && t.giveUpSpare() {
		fd, e = t.options.Tasks.Begin()
	}
	if e != 0 {
		return e
	}
	defer func() { _ = fd.Close() }()
	buf := t.dirents[:len(t.dirents)/taskiter.Size*taskiter.Size]
	for {
		n, e := sys.Read(fd.Int(), buf)
		if e != 0 {
			t.rows, t.stats = t.rows[:0], Stats{}
			return e
		}
		if n == 0 {
			return 0
		}
		for task, rest := taskiter.Next(buf[:n]); task != nil; task, rest = taskiter.Next(rest) {
			t.meet(task)
		}
	}
}

// meet makes a row of one process.
func (t *Table) meet(task *taskiter.Task) {
	t.stats.Seen++
	t.one = victim.Process{PID: task.PID}
	t.record(&t.one, t.weigh(&t.one, task))
}

// weigh fills p from its record. The small ones are complete, and left aside all
// the same: they rank behind all others, and most processes are. Of one whose leader has no memory the files
// say whether anybody else of it has.
func (t *Table) weigh(p *victim.Process, task *taskiter.Task) outcome {
	switch {
	case p.PID == 1:
	case t.isOwn(p.PID):
		p.Flag |= victim.Own
	case task.Kernel():
		p.Flag |= victim.Kernel
	case !task.Memory():
		if out := t.phaseOne(p); out != isSmall {
			return out
		}
		return t.readAdj(p)
	default:
		p.Adj = task.Adj()
		p.RSS, p.Shared = task.Resident()*t.pageSize, task.Shared()*t.pageSize
		p.SwapHint = task.Swapped()*t.pageSize + t.behind
		t.enrol(p)
		if p.RSS+p.SwapHint < t.ask.Policy.MinGain {
			return isSmall
		}
	}
	return isThere
}
