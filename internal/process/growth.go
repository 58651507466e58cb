package process

import (
	"slices"
	"time"

	"github.com/lmkd/lmkd/pkg/victim"
)

// tick is the unit of start times, USER_HZ.
const tick = time.Second / 100

// youngFor is how long a process is young at least; in a longer episode, all
// who started in it are.
const youngFor = 30 * time.Second

// baseline is how large everybody was when an episode began. A process that is
// not in it and started later has all its memory from this episode; one that
// took the pid of another since counts from what that one had.
type baseline struct {
	at    uint64 // clock ticks since boot
	sizes []size // by pid, as /proc lists them
}

// size is what one process had, resident and swapped out, in bytes; never below
// the truth where it comes from oom_score.
type size struct {
	bytes uint64
	pid   int32
}

// Survey notes how large every process is, for Candidates to tell who has grown
// since. It reads one file of each, two with swap in use. More processes than
// twice those of the start are not noted.
func (t *Table) Survey(ask Ask) error {
	ask.Query.MinAdj = -999
	t.begin(ask)
	defer t.keepSpare()
	t.base = baseline{at: uint64(ask.Now / tick), sizes: t.base.sizes[:0]}
	err := t.scan()
	rows := t.rows // of a walk, by pid
	if t.current.valid = false; !t.walked {
		t.remember()
		rows = t.current.rows
	}
	for i := range rows {
		r := &rows[i]
		if len(t.base.sizes) < cap(t.base.sizes) && r.flag&^victim.Registered == 0 {
			t.base.sizes = append(t.base.sizes, size{t.held(r), r.pid})
		}
	}
	return err
}

// held is what a row has. Where sizes come from statm, its hint is all the swap
// in use, which is too little to tell whose it is.
func (t *Table) held(r *row) uint64 {
	switch {
	case t.walked:
		return r.rss + r.hint - min(r.hint, t.behind)
	case t.byScore:
		return r.rss + r.hint
	}
	return r.rss
}

// before gives what pid had at the survey.
func (b *baseline) before(pid int32) (uint64, bool) {
	i, ok := slices.BinarySearchFunc(b.sizes, pid, func(s size, pid int32) int { return int(s.pid) - int(pid) })
	if !ok {
		return 0, false
	}
	return b.sizes[i].bytes, true
}

// mostGrowth bounds by how much p, known by phase one, can have grown: one that
// is not in the survey may be new.
func (t *Table) mostGrowth(p *victim.Process) uint64 {
	if !t.ask.Surveyed || t.ask.Policy.GrowthWeight == 0 {
		return 0
	}
	now := p.RSS + p.SwapHint
	had, _ := t.base.before(p.PID)
	return now - min(now, had)
}

// grew fills in by how much p, known by phase two, has grown, and whether it is
// young.
func (t *Table) grew(p *victim.Process) {
	p.Growth = 0
	if t.youngSince > 0 && p.StartTime >= t.youngSince {
		p.Flag |= victim.Young
	}
	if !t.ask.Surveyed || t.ask.Policy.GrowthWeight == 0 {
		return
	}
	now := p.RssAnon + p.RssFile + p.RssShmem + p.Swap
	if had, ok := t.base.before(p.PID); ok {
		p.Growth = now - min(now, had)
	} else if p.StartTime >= t.base.at {
		p.Growth = now
	}
}

// youth gives the start time from which on a process is young, 0 when it can
// not be told.
func (t *Table) youth() uint64 {
	if t.ask.Now == 0 {
		return 0
	}
	young := max(1, uint64(max(0, t.ask.Now-youngFor)/tick))
	if t.ask.Surveyed {
		return min(young, t.base.at)
	}
	return young
}
