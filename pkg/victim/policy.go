package victim

// Policy is what a profile and the configuration say about victims.
type Policy struct {
	// Bands are the lower ends of the classes of oom_score_adj in falling
	// order: with {900, 0} a process at 950 is of class 0 and goes first, one
	// at 0 to 899 is of class 1, one below 0 of class 2. Empty means that every
	// value is a class of its own, as Android has it.
	Bands []int16

	// MinGain is the least a kill must give back for its class to count, in
	// bytes: below it a process ranks behind all that reach it.
	MinGain uint64

	// Never are task names that no ranking chooses, compared whole.
	Never []string

	// Rules say who goes before or behind others, the first that matches
	// holds. Whoever fills in a Process applies them with Mark.
	Rules []Rule

	// GrowthWeight is how much more a byte that a process has grown by in this
	// episode counts than one that it had before: with 4 a leak of 50 MiB ranks
	// before a steady process of 200 MiB. 0 ranks by size alone.
	GrowthWeight int

	// OOMGroup lets a process die with its whole cgroup where memory.oom.group says
	// so; Preference heeds ManagedOOMPreference of systemd. Whoever fills in a
	// Process reads these of its cgroup.
	OOMGroup, Preference bool

	// Brood is how many young children of one parent, of one name, make a
	// brood: from then on the parent is chosen with all of them, for whoever
	// kills them one by one is not done before it stops making them. 0 is never.
	Brood int

	// Roll is how processes that clients registered stand to all others.
	Roll RollUse

	// RollKernel has the kernel's oom_score_adj of a registered process stand,
	// where it differs from what the client said: somebody changed it since, or
	// the client asked for it to be left alone.
	RollKernel bool

	// KillHeaviest takes of registered processes at one oom_score_adj the one
	// that gives back the most, as it is always done at 200 and below, in place
	// of the one that was given its oom_score_adj the longest ago. Where
	// registered processes do not go before all others, it changes nothing.
	KillHeaviest bool
}

// Query is what a verdict asks of a ranking.
type Query struct {
	// MinAdj is the lowest oom_score_adj that may die.
	MinAdj int16
	// CountFile is true when the file cache thrashes: the mapped file pages of
	// a victim then count as its gain, for they are what is fought over.
	CountFile bool
	// SwapSaved is how many thousandths of what is swapped out cost no memory,
	// because zram keeps it compressed: so much less a kill gives back.
	SwapSaved uint16
	// Bereaved is the parent of several young victims of this episode, 0 for
	// none: it is chosen with all its young children, however few there are.
	Bereaved int32
	// Shun are victims whose kill failed or timed out: they are not chosen again.
	Shun Shunned
}

// Shunned is a small set of identities; the newest push out the oldest.
type Shunned [8]Identity

// Identity is a process that a reused pid can not be mistaken for.
type Identity struct {
	PID       int32
	StartTime uint64 // clock ticks since boot, field 22 of stat
}

// Add puts id in front.
func (s *Shunned) Add(id Identity) {
	copy(s[1:], s[:len(s)-1])
	s[0] = id
}

// Has tells whether p, known by phase two, is in the set. Phase one knows no
// start time, and without one nobody is recognised.
func (s *Shunned) Has(p *Process) bool {
	for i := range s {
		if s[i].PID == p.PID && s[i].StartTime == p.StartTime && p.StartTime != 0 {
			return true
		}
	}
	return false
}

// Class gives the class of an oom_score_adj: 0 goes first.
func (p *Policy) Class(adj int16) int {
	if len(p.Bands) == 0 {
		return 1000 - int(adj)
	}
	for i, low := range p.Bands {
		if adj >= low {
			return i
		}
	}
	return len(p.Bands)
}

// Gain gives what a kill of p is expected to give back, in bytes, by phase
// two's figures; of a process that has none of them, phase one's upper bound.
func (q *Query) Gain(p *Process) uint64 {
	if !p.Is(Detailed) {
		return q.bound(p)
	}
	gain := p.RssAnon + p.RssShmem - min(p.Joint, p.RssShmem) + p.Swap - p.Swap/1000*uint64(min(q.SwapSaved, 1000)) + p.company()
	if q.CountFile {
		return gain + p.RssFile
	}
	return gain + p.lockedFile()
}

// company is what those who die with p give back. A brood is part of the unit.
func (p *Process) company() uint64 { return max(p.Brood, p.Unit) }

// lockedFile is what of the file pages nobody can reclaim but by a kill, as
// they are locked: VmLck counts addresses, of which anonymous memory and shmem
// may be all.
func (p *Process) lockedFile() uint64 {
	return min(p.RssFile, p.Locked-min(p.Locked, p.RssAnon+p.RssShmem))
}

// weight is what a process is compared by: what a kill gives back, and what of
// it came in this episode many times over.
func (pol *Policy) weight(q *Query, p *Process) uint64 {
	gain := q.Gain(p)
	return gain + uint64(pol.GrowthWeight)*min(p.Growth, gain)
}

// unbounded is more than any unit can have.
const unbounded = 1 << 56

// bound is never below Gain of the same process: resident pages hold anonymous,
// shmem and file pages alike, of which Idle are none that count. What a unit has is not known before phase two.
func (q *Query) bound(p *Process) uint64 {
	if p.Death != AsProcess {
		return unbounded
	}
	if q.CountFile {
		return p.RSS + p.SwapHint
	}
	return p.RSS - min(p.Idle, p.RSS) + p.SwapHint
}
