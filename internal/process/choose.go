package process

import (
	"math"
	"time"

	"github.com/lmkd/lmkd/pkg/victim"
)

// Ask is what a choice wants to know. Sizes are bytes, from the sample that led
// to it.
type Ask struct {
	Policy *victim.Policy
	Query  victim.Query
	// RAM is MemTotal, Swap is SwapTotal, SwapUsed is what of it is in use.
	RAM, Swap, SwapUsed uint64
	// Available is MemAvailable, Shmem all shared memory with the files on tmpfs, 0
	// when it is not known.
	Available, Shmem uint64
	// Mlocked is what is locked of all memory, known where Shmem is and for the
	// whole machine alone.
	Mlocked uint64
	// Now is the time since boot, with suspend; 0 when it is not known, as in a
	// captured tree: then nobody is young.
	Now time.Duration
	// Surveyed says that the last Survey is of this episode: what has grown
	// since then counts as growth.
	Surveyed bool
	// Roll is what clients registered, nil when nobody ever did.
	Roll *victim.Roll
	// Dying asks for those, too, who are dying with much memory.
	Dying bool
	// Within restricts the choice to the processes of a cgroup; nil asks for those
	// of the whole machine. RAM and Swap are the machine's in either case. A survey
	// knows nothing of the one, so that Surveyed does not go with it.
	Within *Subtree
}

// Stats says what a choice looked at.
type Stats struct {
	Seen     int     // processes in /proc
	Small    int     // of them left aside: they can not be worth a kill, and others are
	Refused  [16]int // of them refused by phase one, by victim.Exclusion
	Vanished int     // of them gone while they were read
	Hidden   int     // of them not for our eyes (hidepid)
	Broken   int     // of them unreadable or malformed
	Fault    error   // the first of these, with the name of the file
	Detailed int     // finalists read by phase two, in all pages
	Pages    int     // shortlists that it took, 1 but for rare tables
	// Cut is true when the search ended at its limit, with processes left that
	// could win by their upper bound: thousands alike, as a fork bomb makes.
	Cut bool
	// Remembered is true when the choice believed rows of an earlier scan.
	Remembered bool
	// Walked is true when phase one was a pass in the kernel.
	Walked bool
}

// Candidates gives the processes that can be the victim: every one that could
// still rank first, read by phase two, and at least eight for the explanation
// if there are so many. They come in the order of phase one; Policy.Rank orders
// them. The slice and its texts are valid until the next call. The error is one
// of /proc as a whole.
func (t *Table) Candidates(ask Ask) ([]victim.Process, Stats, error) {
	t.begin(ask)
	defer t.keepSpare()
	if !t.walks() && t.usable() {
		t.recalled = true
		if err := t.recall(); err != nil {
			return nil, t.stats, err
		}
		best := t.search()
		t.keepRows()
		if t.explains(best) {
			t.findDying()
			t.stats.Remembered = true
			return t.found, t.stats, nil
		}
		t.begin(ask)
	}
	if err := t.scanFor(&ask); err != nil {
		return nil, t.stats, err
	}
	if ask.Surveyed && !t.walked {
		t.remember()
	}
	t.search()
	t.findDying()
	return t.found, t.stats, nil
}

// scanFor is phase one of what is asked for.
func (t *Table) scanFor(ask *Ask) error {
	if ask.Within != nil {
		return t.scanWithin(ask.Within)
	}
	return t.scan()
}

// search finds the candidates among the rows, and gives the place of the best.
func (t *Table) search() int {
	var after *victim.Process
	best := -1
	for {
		list := t.page(after)
		if len(list) > 0 {
			t.after = list[len(list)-1] // as phase one knows it
			after = &t.after
		}
		best = t.finish(list, best)
		switch {
		case t.cutCanWin(best) && t.stats.Detailed >= mostDetailed: // take the best so far
			t.stats.Cut = true
			t.findBrood(list)
			t.unite()
			return best
		case t.cutCanWin(best): // the next page
		case t.smallCanWin(best): // again, with everybody
			t.complete()
			t.found, t.textUsed, t.groupsRead = t.found[:0], 0, 0
			best, after = -1, nil
		default:
			t.findBrood(list)
			t.unite()
			return best
		}
	}
}

func (t *Table) begin(ask Ask) {
	t.ask, t.stats, t.roll = ask, Stats{}, ask.roll()
	t.rows, t.found, t.textUsed, t.groupsRead = t.rows[:0], t.found[:0], 0, 0
	t.machine = machine{
		total:    (ask.RAM + ask.Swap) / t.pageSize,
		swapUsed: (ask.SwapUsed + t.pageSize - 1) / t.pageSize,
		slack:    slackPages(t.cpus),
	}
	t.byScore = t.scores && !t.machine.coarse()
	t.promotes, t.lowest = ask.Policy.Promotes(), ask.Policy.Lowest(&ask.Query)
	t.youngSince = t.youth()
	t.floor = 0
	if ask.Policy.MinGain > ask.SwapUsed {
		t.floor = ask.Policy.MinGain - ask.SwapUsed
	}
	t.recalled, t.walked, t.unitsUsed, t.kinRead = false, false, 0, false
	t.findOwn()
}

// page gives the best processes that rank behind after, likeliest first.
func (t *Table) page(after *victim.Process) []victim.Process {
	t.stats.Pages++
	for {
		t.short.Reset(t.ask.Policy, t.ask.Query, after)
		t.offer()
		t.stats.Refused = t.short.Refused
		list := t.short.Sorted()
		if !t.recalled || !t.freshen(list) {
			return list
		}
	}
}

// finish reads the finalists of a page until none of the rest can win, and
// gives the place in found of the best so far, -1 for none.
func (t *Table) finish(list []victim.Process, best int) int {
	least := explained
	for i := range list {
		if len(t.found) >= least && best >= 0 && !t.canWin(&list[i], best) {
			break
		}
		t.detail(&list[i])
		if list[i].Dies() != victim.AsProcess {
			least = cap(t.found) // others may be more together than the best alone
		}
		at := t.add(&list[i], best)
		if at < 0 || t.ask.Policy.Excluded(&t.ask.Query, &t.found[at]) != victim.Eligible {
			continue
		}
		if best < 0 || t.before(&t.found[at], &t.found[best]) {
			best = at
		}
		if t.found[at].RssShmem > 0 {
			best = t.disjoin(best)
		}
	}
	return best
}

// disjoin counts shared memory once, and gives the place of the best then.
func (t *Table) disjoin(best int) int {
	victim.Disjoin(t.found, t.ask.Shmem)
	if t.found[best].Joint == 0 {
		return best
	}
	for i := range t.found {
		p := &t.found[i]
		if t.ask.Policy.Excluded(&t.ask.Query, p) == victim.Eligible && t.before(p, &t.found[best]) {
			best = i
		}
	}
	return best
}

// add keeps p and gives its place. In a full list it takes the last place that
// is not the best's, or none when p is nobody to choose.
func (t *Table) add(p *victim.Process, best int) int {
	if len(t.found) < cap(t.found)-broodRoom-dyingRoom {
		t.found = append(t.found, *p)
		return len(t.found) - 1
	}
	if t.ask.Policy.Excluded(&t.ask.Query, p) != victim.Eligible {
		return -1
	}
	at := len(t.found) - 1
	if at == best {
		at--
	}
	t.found[at] = *p
	return at
}

// cutCanWin tells whether the best process that did not fit the page could
// rank before the best.
func (t *Table) cutCanWin(best int) bool {
	cut := t.short.Cut()
	return cut != nil && (best < 0 || t.canWin(cut, best))
}

// smallCanWin tells the same of the processes that were left aside, whose
// oom_score_adj is not known.
func (t *Table) smallCanWin(best int) bool {
	if t.stats.Small == 0 || best < 0 {
		return t.stats.Small > 0
	}
	most := t.ask.Policy.MinGain - 1
	if !t.walked {
		most = t.floor - 1 + t.ask.SwapUsed
	}
	t.one = victim.Process{PID: math.MaxInt32, Adj: 1000, RSS: most, Growth: most}
	return t.canWin(&t.one, best)
}

// canWin tells whether p, known by phase one, could rank before the best.
func (t *Table) canWin(p *victim.Process, best int) bool {
	return t.ask.Policy.CanStillWin(&t.ask.Query, p, &t.found[best])
}

func (t *Table) before(a, b *victim.Process) bool {
	c, _ := t.ask.Policy.Compare(&t.ask.Query, a, b)
	return c < 0
}
