package pressure

import "time"

// Variant chooses between releases of Android whose rules differ.
type Variant uint8

// The variants: V15 is the Android 15 era, V17 the Android 17 era.
const (
	V17 Variant = iota
	V15
)

// Strategy is by which of Android's judgements a policy goes.
type Strategy uint8

// The strategies. ByReclaim is the present one, the tree of reasons; the other
// two are those before it.
const (
	ByReclaim Strategy = iota
	ByMinfree          // targets for free memory and file cache (LMK_TARGET)
	ByLevel            // how loud the event is, and how much of what is used lies in swap
)

// Policy is every number of the judgement. The names are those of Android's
// properties where there is one; percentages are whole percent.
type Policy struct {
	Strategy Strategy
	Variant  Variant

	// Minfree are the targets of ByMinfree, until a client names others.
	Minfree Targets
	// LowMinAdj, MediumMinAdj and CriticalMinAdj are the least oom_score_adj
	// that an event of that level may reach under ByLevel; beyond 1000 it is no
	// reason.
	LowMinAdj, MediumMinAdj, CriticalMinAdj int
	// CriticalUpgrade raises an event's level by one under ByLevel while memory in
	// use is less than UpgradePressure percent of memory and swap in use. With
	// swap left, a critical event counts as medium beyond UpgradePressure, and none
	// counts beyond DowngradePressure.
	CriticalUpgrade                    bool
	UpgradePressure, DowngradePressure int
	// LowRAM lets ByLevel act however much is free; otherwise not while more is
	// than there ever was at a low event.
	LowRAM bool

	// Cgroup says that the samples are of one cgroup: Total is its limit, and
	// there are no watermarks. To be at a limit is how many a cgroup lives; only
	// tasks that stall there for StallMax of two windows are a reason to kill,
	// swap or not.
	Cgroup bool

	// SwapFreeLowPercentage is the share of SwapTotal below which effective
	// free swap is low; 0 never calls it low.
	SwapFreeLowPercentage int
	// SwapUtilMax is the share of anonymous memory that may be swapped out; 100
	// switches the rule off.
	SwapUtilMax int
	// SwapMeasured counts what swap in RAM costs by what zram measures; the
	// three below are then not asked.
	SwapMeasured bool
	// SwapCompressionRatio over SwapCompressionRatioDiv is how much more fits
	// into a byte of RAM used as swap; 0 trusts SwapFree alone.
	SwapCompressionRatio, SwapCompressionRatioDiv int
	// RelaxedAvailableMemory lets swap be filled from all clean file pages and
	// from what compression gains, not from free and inactive pages alone.
	RelaxedAvailableMemory bool

	// ThrashingLimit is the share of the file LRU refaulted within a window
	// that counts as thrashing. ThrashingLimitDecay lowers it after a kill for
	// thrashing, in percent of itself. Beyond ThrashingLimitCritical even
	// important processes may die.
	ThrashingLimit, ThrashingLimitDecay, ThrashingLimitCritical int
	// ThrashingWindow is the span over which refaults are counted.
	ThrashingWindow time.Duration

	// ThrashingMapped counts what tasks waited for in page faults: refaults as far
	// as faults can have brought them, and a page for each fault. A file that is read through the cache comes
	// back as often, and nobody's program is any the slower for it.
	ThrashingMapped bool

	// FilecacheMin is the file LRU in bytes below which, after thrashing, a
	// kill may follow; 0 switches the rule off.
	FilecacheMin uint64
	// StallLimitCritical is the PSI full avg10 in percent beyond which any
	// process may die; 100 switches it off.
	StallLimitCritical int
	// DirectReclaimThreshold is how long one task may be in direct reclaim; 0
	// switches the rule off. It needs reclaim events.
	DirectReclaimThreshold time.Duration

	// LowmemMinOOMScore is the least oom_score_adj that may die for LowMem
	// alone; above 1000 switches the rule off.
	LowmemMinOOMScore int
	// PressureAfterKillMinScore is the same for PressureAfterKill.
	PressureAfterKillMinScore int
	// PerceptibleMinAdj is the same while swap or the file cache is short but
	// neither exhausted: 201 spares what an Android user perceives.
	PerceptibleMinAdj int

	// OnlyReclaim lets a stall, an event and the judgement after a kill count as
	// pressure only while pages are reclaimed or refault, as Android has it.
	OnlyReclaim bool
	// MaxAvailable is the share of MemTotal in percent above which nothing is
	// ever done, however loud the pressure; 0 switches this gate off.
	MaxAvailable int
	// LowAvailable is the share of MemTotal in percent below which, with free
	// swap low too or no swap, memory counts as exhausted, and
	// LowAvailableBytes the most that this share may come to; 0 switches the
	// rule off.
	LowAvailable      int
	LowAvailableBytes uint64
	// ExhaustionHorizon is how soon, at the measured rate of fall, available
	// memory and swap must cross that floor to act before they do, once
	// available is below twice the floor; 0 switches the rule off.
	ExhaustionHorizon time.Duration
	// StallMax is the share in percent of two windows, the one before and the one
	// under way, that all tasks must stall for memory to count as exhausted whatever swap is free, once available memory
	// is below the floor; 100 waits for swap to be low.
	StallMax int
	// StallMin is the share of the time in percent that all tasks must stall
	// for low swap, or pages read anew, to be a reason; 0 never asks.
	StallMin int
}

// Android gives the defaults of Android 17's properties.
func Android() Policy {
	return Policy{
		SwapFreeLowPercentage: 10, SwapUtilMax: 100,
		SwapCompressionRatio: 1, SwapCompressionRatioDiv: 1,
		ThrashingLimit: 100, ThrashingLimitDecay: 10, ThrashingLimitCritical: 300,
		ThrashingWindow:    time.Second,
		StallLimitCritical: 100, StallMax: 100,
		LowmemMinOOMScore: 701,
		PerceptibleMinAdj: 201,
		OnlyReclaim:       true,
		LowMinAdj:         1001, MediumMinAdj: 800, CriticalMinAdj: 0,
		UpgradePressure: 100, DowngradePressure: 100,
	}
}

// Cgroup gives the defaults for one cgroup with a limit. A limit is met sooner and
// harms nobody outside, so that more must be lost to it than to a machine's end.
func Cgroup() Policy {
	p := Linux()
	p.Cgroup = true
	p.LowAvailable = 10
	p.ExhaustionHorizon = 0
	p.ThrashingLimit, p.ThrashingLimitDecay = 100, 20
	p.StallMin, p.StallMax = 20, 30
	return p
}

// Linux gives the defaults for a machine whose processes are found by scanning:
// every reason may reach adj 0, and a machine with memory to spare is let be.
func Linux() Policy {
	p := Android()
	p.SwapMeasured, p.ThrashingMapped = true, true
	p.ThrashingLimit, p.ThrashingLimitDecay = 20, 20
	p.LowmemMinOOMScore = 1001
	p.PerceptibleMinAdj = 0
	p.OnlyReclaim = false
	p.MaxAvailable = 25
	p.LowAvailable, p.LowAvailableBytes = 5, 512<<20
	p.ExhaustionHorizon = 50 * time.Millisecond
	p.StallMin, p.StallMax = 5, 20
	return p
}
