package pressure

import "strconv"

// Reason is why a verdict acts. The numbers up to LowMem and DirectReclaimStuck
// are Android's and stand in its clients' packets; those from LowAvailable on
// are ours.
type Reason int32

// The reasons. None is Android's -1.
const (
	None                       Reason = -1
	PressureAfterKill          Reason = 0
	NotResponding              Reason = 1
	LowSwapAndThrashing        Reason = 2
	LowMemAndSwap              Reason = 3
	LowMemAndThrashing         Reason = 4
	DirectReclaimAndThrashing  Reason = 5
	LowMemAndSwapUtil          Reason = 6
	LowFilecacheAfterThrashing Reason = 7
	LowMem                     Reason = 8
	DirectReclaimStuck         Reason = 9
	LowAvailable               Reason = 2000
	ExhaustionAhead            Reason = 2001
	LowMinfree                 Reason = 2002 // Android's older judgements give no reason
	PressureLevel              Reason = 2003
)

var reasonName = map[Reason]string{
	None:                       "none",
	PressureAfterKill:          "pressure_after_kill",
	NotResponding:              "not_responding",
	LowSwapAndThrashing:        "low_swap_and_thrashing",
	LowMemAndSwap:              "low_mem_and_swap",
	LowMemAndThrashing:         "low_mem_and_thrashing",
	DirectReclaimAndThrashing:  "direct_reclaim_and_thrashing",
	LowMemAndSwapUtil:          "low_mem_and_swap_util",
	LowFilecacheAfterThrashing: "low_filecache_after_thrashing",
	LowMem:                     "low_mem",
	DirectReclaimStuck:         "direct_reclaim_stuck",
	LowAvailable:               "low_available",
	ExhaustionAhead:            "exhaustion_ahead",
	LowMinfree:                 "low_minfree",
	PressureLevel:              "pressure_level",
}

// Reasons lists every reason that a verdict can have, in the order in which
// they are looked for.
func Reasons() []Reason {
	var out []Reason
	for _, rules := range trees {
		for i := range rules {
			out = append(out, rules[i].reason)
		}
	}
	return out
}

// LooksFor tells whether r is a reason of the policy's strategy, be it switched
// off by another setting or not.
func (p *Policy) LooksFor(r Reason) bool {
	rules := p.tree()
	for i := range rules {
		if rules[i].reason == r {
			return true
		}
	}
	return false
}

// String gives the reason's name as metrics and records carry it.
func (r Reason) String() string {
	if name, ok := reasonName[r]; ok {
		return name
	}
	return "reason_" + strconv.Itoa(int(r))
}

// Thrashing tells whether r is about the file cache: the victim's mapped file
// pages then count as what its death relieves.
func (r Reason) Thrashing() bool {
	switch r {
	case LowSwapAndThrashing, LowMemAndThrashing, DirectReclaimAndThrashing, LowFilecacheAfterThrashing:
		return true
	}
	return false
}

// Mark is the lowest watermark that free memory is below.
type Mark uint8

// The watermarks of the zones, in falling order of free memory.
const (
	AboveHigh Mark = iota
	BelowHigh
	BelowLow
	BelowMin
)

func (m Mark) String() string {
	return [...]string{"above high", "below high", "below low", "below min"}[m&3]
}

// Sheds tells whether r is about what can be spared, and no emergency: that
// nobody above its bar is left is then no reason to lower the bar.
func (r Reason) Sheds() bool { return r == LowMem || r == LowMinfree || r == PressureLevel }

// RestsOnMarks tells whether r compared free memory with a watermark.
func (r Reason) RestsOnMarks() bool {
	switch r {
	case PressureAfterKill, NotResponding, LowMemAndSwap, LowMemAndThrashing, LowMemAndSwapUtil, LowFilecacheAfterThrashing, LowMem, LowMinfree:
		return true
	}
	return false
}
