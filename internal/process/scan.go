package process

import (
	"fmt"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/victim"
)

// The sizes of the small files, each with room to spare.
const (
	statmSize = 128
	adjSize   = 16
	scoreSize = 24
)

// outcome is what came of reading a process.
type outcome uint8

const (
	isThere    outcome = iota
	isSmall            // left for later
	isVanished         // gone: ENOENT, ESRCH
	isHidden           // not for our eyes: EACCES, EPERM
	isBroken           // unreadable or malformed; the first is in the stats
)

// row is what phase one keeps of a process, sizes in bytes.
type row struct {
	rss, shared, hint uint64
	turn              uint64
	pid               int32
	flag              victim.Flag
	adj, adjust       int16
	rule              int16
	effect            victim.Effect
	death             victim.Death
	small             bool // adj and hint were not read
	fresh             bool // read in this choice, where others are remembered
}

// scan is phase one: every process becomes a row.
func (t *Table) scan() error {
	if t.only() {
		t.visitRegistered()
		return nil
	}
	if t.walked = t.walks() && t.walk() == 0; t.walked {
		t.stats.Walked = true
		return nil
	}
	return t.list(t.visit)
}

// list gives every pid in /proc to each.
func (t *Table) list(each func(pid int32)) error {
	if e := sys.Rewind(t.proc.Int()); e != 0 {
		return &sys.OpError{Doing: "rewind /proc", Errno: e}
	}
	for {
		n, e := sys.Getdents(t.proc.Int(), t.dirents)
		if e != 0 {
			return &sys.OpError{Doing: "list /proc", Errno: e}
		}
		if n == 0 {
			return nil
		}
		for name, rest := sys.NextDirent(t.dirents[:n]); name != nil; name, rest = sys.NextDirent(rest) {
			if pid, ok := count(name); ok {
				each(pid)
			}
		}
	}
}

// visit reads one process.
func (t *Table) visit(pid int32) {
	t.stats.Seen++
	t.one = victim.Process{PID: pid}
	t.record(&t.one, t.phaseOne(&t.one))
}

// record keeps what came of reading p.
func (t *Table) record(p *victim.Process, out outcome) {
	switch out {
	case isThere, isSmall:
		if out == isThere && t.promotes && p.PID > 1 && p.Flag&^victim.Registered == 0 && p.Adj > -1000 {
			t.premark(p)
		}
		t.rows = append(t.rows, row{
			rss: p.RSS, shared: p.Shared, hint: p.SwapHint, pid: p.PID, flag: p.Flag, adj: p.Adj,
			turn: p.Turn, rule: p.Rule, effect: p.Effect, adjust: p.Adjust, death: p.Death, small: out == isSmall,
		})
	case isVanished:
		t.stats.Vanished++
	case isHidden:
		t.stats.Hidden++
	case isBroken:
		t.stats.Broken++
	}
}

// complete reads what was left out of the small ones.
func (t *Table) complete() {
	if t.walked && !t.promotes { // they are complete
		for i := range t.rows {
			t.rows[i].small = false
		}
		return
	}
	all := t.rows
	t.rows = t.rows[:0]
	for _, r := range all {
		if !r.small {
			t.rows = append(t.rows, r)
			continue
		}
		t.one = victim.Process{PID: r.pid, RSS: r.rss, Shared: r.shared, SwapHint: r.hint}
		t.setProcess(r.pid)
		t.record(&t.one, t.readAdj(&t.one))
	}
}

// offer shows the rows to the shortlist, but for the small ones. The last pid
// goes first: of equals it is the likeliest, and the others do not push it out.
func (t *Table) offer() {
	t.stats.Small = 0
	for i := len(t.rows) - 1; i >= 0; i-- {
		r := &t.rows[i]
		if r.small {
			t.stats.Small++
			continue
		}
		t.one = victim.Process{
			PID: r.pid, Adj: r.adj, Flag: r.flag, RSS: r.rss, Shared: r.shared, SwapHint: r.hint,
			Turn: r.turn, Rule: r.rule, Effect: r.effect, Adjust: r.adjust, Death: r.death,
		}
		t.idle(&t.one)
		t.one.Growth = t.mostGrowth(&t.one)
		t.short.Offer(&t.one)
	}
}

// phaseOne fills p from the cheap files. What is excluded anyway is not read
// any further.
func (t *Table) phaseOne(p *victim.Process) outcome {
	if p.PID == 1 {
		return isThere
	}
	if t.isOwn(p.PID) {
		p.Flag |= victim.Own
		return isThere
	}
	t.setProcess(p.PID)
	lowest := t.lowest
	if !t.byScore && lowest <= 0 {
		return t.sizeThenAdj(p)
	}
	if out := t.readAdj(p); out != isThere || p.Adj < lowest || p.Adj <= -1000 {
		return out
	}
	if t.byScore {
		return t.readScore(p)
	}
	return t.readSize(p)
}

// sizeThenAdj leaves the small ones aside: most processes are.
func (t *Table) sizeThenAdj(p *victim.Process) outcome {
	if out := t.readSize(p); out != isThere || p.Flag != 0 {
		return out
	}
	if p.RSS < t.floor {
		return isSmall
	}
	return t.readAdj(p)
}

// readScore bounds the memory of p by its oom_score alone: its resident part,
// which is not told apart, is left to phase two. The size of one without a score
// that says anything is read, and it may have all the swap.
func (t *Table) readScore(p *victim.Process) outcome {
	buf := t.line[:scoreSize]
	n, e := t.file("oom_score", 0, buf)
	if e != 0 {
		return t.failed(e)
	}
	score, err := parseScore(buf[:n])
	if err != nil {
		return t.judge(err)
	}
	pages, ok := t.machine.memoryPages(score, t.adj)
	if !ok {
		return t.readSize(p)
	}
	p.SwapHint = pages * t.pageSize
	return isThere
}

// readSize fills RSS and Shared, and SwapHint with all swap in use. A task without memory gets a flag that says
// why; a dead leader has the memory of a thread that lives.
func (t *Table) readSize(p *victim.Process) outcome {
	m, out := t.readStatm()
	if out != isThere {
		return out
	}
	if m.size == 0 {
		if m, out = t.memoryless(p); out != isThere || p.Flag != 0 {
			return out
		}
		t.setProcess(p.PID)
	}
	p.RSS, p.Shared = m.resident*t.pageSize, m.shared*t.pageSize
	p.SwapHint = t.machine.swapUsed * t.pageSize
	return isThere
}

func (t *Table) readStatm() (statm, outcome) {
	buf := t.line[:statmSize]
	n, e := t.file("statm", 0, buf)
	if e != 0 {
		return statm{}, t.failed(e)
	}
	m, err := parseStatm(buf[:n])
	return m, t.judge(err)
}

// memoryless finds out why a task has no memory. Only the leader may have
// given it up: then the other threads tell.
func (t *Table) memoryless(p *victim.Process) (statm, outcome) {
	s, e, err := t.readStat()
	if e != 0 {
		return statm{}, t.failed(e)
	}
	if err != nil {
		return statm{}, t.judge(err)
	}
	switch {
	case s.is(flagKernel):
		p.Flag |= victim.Kernel
		return statm{}, isThere
	case s.threads > 1:
		if _, m, ok := t.livingThread(p.PID); ok {
			return m, isThere
		}
	}
	p.Flag |= victim.Dying
	if s.dead() {
		p.Flag ^= victim.Dying | victim.Zombie
	}
	return statm{}, isThere
}

// readAdj fills Adj, with what a client said of p.
func (t *Table) readAdj(p *victim.Process) (out outcome) {
	if t.adj, out = t.kernelAdj(); out == isThere {
		p.Adj = t.adj
		t.enrol(p)
	}
	return out
}

// kernelAdj reads oom_score_adj of the process that was set.
func (t *Table) kernelAdj() (int16, outcome) {
	buf := t.line[:adjSize]
	n, e := t.file("oom_score_adj", 0, buf)
	if e != 0 {
		return 0, t.failed(e)
	}
	adj, err := parseAdj(buf[:n])
	return adj, t.judge(err)
}

// failed turns the errno of the file read last into an outcome.
func (t *Table) failed(e sys.Errno) outcome {
	switch e {
	case sys.ENOENT, sys.ESRCH:
		return isVanished
	case sys.EACCES, sys.EPERM:
		return isHidden
	}
	t.fault(e)
	return isBroken
}

// judge does the same for what its parser says.
func (t *Table) judge(err error) outcome {
	if err == nil {
		return isThere
	}
	t.fault(err)
	return isBroken
}

// fault keeps the first thing that is wrong with a file of a process.
func (t *Table) fault(err error) {
	if t.stats.Fault == nil {
		t.stats.Fault = fmt.Errorf("read /proc/%s: %w", t.path[:len(t.path)-1], err)
	}
}
