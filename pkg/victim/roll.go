package victim

import (
	"cmp"
	"slices"
)

// Registration is one process that a client registered, as Android's
// ActivityManager does (LMK_PROCPRIO).
type Registration struct {
	PID       int32
	StartTime uint64 // clock ticks since boot: a process that reuses the pid is another one
	Adj       int16  // the client's word
	UID       uint32 // as the client says
	// Turn counts assignments: of two at one oom_score_adj, the one with the
	// lower turn was given it earlier. It is the order of Android's lists, whose
	// tail has the lowest.
	Turn uint64
}

// Roll is everything that clients registered, by pid. Nobody changes a Roll once
// it is handed out: what changes is a new one. No Roll at all is that nobody ever
// registered anything.
type Roll struct{ Members []Registration }

// Find gives what is registered of pid, nil for nothing.
func (r *Roll) Find(pid int32) *Registration {
	if r == nil {
		return nil
	}
	i, ok := slices.BinarySearchFunc(r.Members, pid, func(m Registration, pid int32) int { return int(m.PID) - int(pid) })
	if !ok {
		return nil
	}
	return &r.Members[i]
}

// RollUse is how registered processes stand to those that a scan finds.
type RollUse uint8

// The uses.
const (
	RollBeside RollUse = iota // one ranking: a client gives its processes an oom_score_adj and nothing else
	RollFirst                 // registered ones go before all others
	RollOnly                  // nobody else is a candidate, once anybody was registered
	RollOff                   // what clients register is not asked for
)

var rollText = [...]string{RollBeside: "beside", RollFirst: "first", RollOnly: "only", RollOff: "off"}

func (u RollUse) String() string { return rollText[u] }

// RollUses lists all of them.
func RollUses() []RollUse { return []RollUse{RollOnly, RollFirst, RollBeside, RollOff} }

// perceptible is the oom_score_adj up to which a user notices the loss: there
// the heaviest dies, so that fewer have to.
const perceptible = 200

// listed tells whether registered processes stand in Android's lists, one for
// every oom_score_adj, which go before all others.
func (pol *Policy) listed() bool { return pol.Roll == RollFirst || pol.Roll == RollOnly }

// lists tells whether a and b stand in such lists.
func (pol *Policy) lists(a, b *Process) bool {
	return pol.listed() && a.Is(Registered) && b.Is(Registered)
}

// registered puts those that a client registered before all others.
func registered(pol *Policy, _ *Query, a, b *Process) int {
	if !pol.listed() {
		return 0
	}
	return -compareBool(a.Is(Registered), b.Is(Registered))
}

// adj is the order of Android's lists: every oom_score_adj is one.
func adj(pol *Policy, _ *Query, a, b *Process) int {
	if !pol.lists(a, b) {
		return 0
	}
	return -cmp.Compare(a.Standing(), b.Standing())
}

// turn is the order within one of Android's lists: the tail goes first, that is
// the one which was given its oom_score_adj the longest ago.
func turn(pol *Policy, _ *Query, a, b *Process) int {
	if pol.KillHeaviest || !pol.lists(a, b) || a.Standing() <= perceptible {
		return 0
	}
	return cmp.Compare(a.Turn, b.Turn)
}
