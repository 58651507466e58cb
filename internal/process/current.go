package process

import (
	"slices"
	"time"

	"github.com/lmkd/lmkd/pkg/victim"
)

// The limits of a current table.
const (
	// currentFor is how old its oldest row may be.
	currentFor = 2 * time.Second
	// sliceParts is in how many slices it is read anew, of at most mostSlice rows.
	sliceParts, leastSlice, mostSlice = 16, 64, 512
	// unexplained is how much memory may go without anybody known to have it.
	unexplained = 32 << 20
)

// current is the rows of an earlier scan, kept current in slices between two
// looks at memory. A choice then lists the pids, reads who is new and those who
// come into question, and believes the rows of all others: of those nobody can
// have grown by more than memory went that the ones that were read do not
// explain.
type current struct {
	rows    []row        // by pid
	roll    *victim.Roll // what they were read with
	valid   bool
	byScore bool
	floor   uint64
	lowest  int16

	// When the oldest row was read, and what was to be had then.
	at                  time.Duration
	available, swapUsed uint64
	grown               uint64 // by how much those that were read since have grown

	// The same for the round of slices under way, and where it stands.
	next                        int
	roundAt                     time.Duration
	roundAvailable, roundInSwap uint64
	roundGrown                  uint64
}

// remember keeps the rows of a complete scan.
func (t *Table) remember() {
	c := &t.current
	*c = current{
		rows: append(c.rows[:0], t.rows...), valid: t.ask.Now > 0, roll: t.roll,
		byScore: t.byScore, floor: t.floor, lowest: t.lowest,
		at: t.ask.Now, available: t.ask.Available, swapUsed: t.ask.SwapUsed,
	}
	slices.SortFunc(c.rows, func(a, b row) int { return int(a.pid) - int(b.pid) })
}

// usable tells whether the rows answer the question that was asked. What clients
// registered since, they do not know; and where nobody else is a candidate there
// are few to read.
func (t *Table) usable() bool {
	c := &t.current
	return c.valid && t.ask.Surveyed && !t.promotes && c.roll == t.roll && !t.only() && c.byScore == t.byScore && c.lowest <= t.lowest &&
		c.floor <= t.floor && t.ask.Now-c.at <= currentFor
}

// recall makes the rows of now out of the remembered ones: those of pids that
// are gone are left out, and new ones are read.
func (t *Table) recall() error {
	t.pids = t.pids[:0]
	if err := t.list(func(pid int32) { t.pids = append(t.pids, pid) }); err != nil {
		return err
	}
	slices.Sort(t.pids) // as /proc gives them, but a tree may not
	old := t.current.rows
	for _, pid := range t.pids {
		for len(old) > 0 && old[0].pid < pid {
			old = old[1:]
		}
		if len(old) > 0 && old[0].pid == pid {
			t.stats.Seen++
			t.rows = append(t.rows, old[0])
			continue
		}
		before := len(t.rows)
		t.visit(pid)
		if len(t.rows) > before {
			t.rows[before].fresh = true
			t.explain(0, &t.rows[before])
		}
	}
	return nil
}

// explain adds what a row has more than before to what is known to have gone.
func (t *Table) explain(before uint64, r *row) {
	more := t.held(r) - min(t.held(r), before)
	t.current.grown += more
	t.current.roundGrown += more
}

// freshen reads those of a page anew that come from an earlier scan, and reports
// whether there were any.
func (t *Table) freshen(page []victim.Process) (any bool) {
	for i := range page {
		at, ok := slices.BinarySearchFunc(t.rows, page[i].PID, byPID)
		if ok && !t.rows[at].fresh {
			t.reread(&t.rows[at])
			any = true
		}
	}
	return any
}

func byPID(r row, pid int32) int { return int(r.pid) - int(pid) }

// reread takes one row anew.
func (t *Table) reread(r *row) {
	before, pid := t.held(r), r.pid
	p := &t.one
	*p = victim.Process{PID: pid}
	out := t.phaseOne(p)
	if out != isThere && out != isSmall {
		p.Flag |= victim.Vanished
	}
	*r = row{rss: p.RSS, shared: p.Shared, hint: p.SwapHint, turn: p.Turn, pid: pid, flag: p.Flag, adj: p.Adj, small: out == isSmall, fresh: true}
	t.explain(before, r)
}

// explains tells whether whoever was not read can not have grown past the best.
func (t *Table) explains(best int) bool {
	if best < 0 {
		return false
	}
	c := &t.current
	gone := c.available - min(c.available, t.ask.Available) + t.ask.SwapUsed - min(t.ask.SwapUsed, c.swapUsed)
	return gone <= c.grown+unexplained+t.ask.Query.Gain(&t.found[best])/2
}

// keepRows puts the rows of a choice back, for the next one.
func (t *Table) keepRows() {
	c := &t.current
	c.rows = append(c.rows[:0], t.rows...)
	for i := range c.rows {
		c.rows[i].fresh = false
	}
	c.next = min(c.next, len(c.rows))
}

// Forget ends what a Survey began: until the next one a choice reads everybody.
func (t *Table) Forget() { t.current.valid = false }

// Refresh reads the next slice of the remembered rows anew: a sixteenth of them,
// 64 at least and 512 at most. It does nothing before a Survey.
func (t *Table) Refresh(ask Ask) {
	c := &t.current
	if !c.valid {
		return
	}
	ask.Query.MinAdj = -999
	t.begin(ask)
	if c.byScore != t.byScore { // swap came into use: the rows say too little
		c.valid = false
		return
	}
	t.floor, t.lowest = c.floor, c.lowest
	if c.next == 0 {
		c.roundAt, c.roundAvailable, c.roundInSwap, c.roundGrown = ask.Now, ask.Available, ask.SwapUsed, 0
	}
	end := min(len(c.rows), c.next+max(leastSlice, min(len(c.rows)/sliceParts, mostSlice)))
	for ; c.next < end; c.next++ {
		t.reread(&c.rows[c.next])
		c.rows[c.next].fresh = false
	}
	if c.next >= len(c.rows) {
		c.next, c.at, c.available, c.swapUsed, c.grown = 0, c.roundAt, c.roundAvailable, c.roundInSwap, c.roundGrown
	}
}
