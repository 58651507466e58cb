package pressure

import "time"

// Has says which parts of a Sample the kernel gave. Absent is not zero.
type Has uint32

// The parts that a kernel, a configuration or a permission may lack.
const (
	HasAvailable  Has = 1 << iota // MemAvailable (Linux 3.14)
	HasWatermarks                 // zoneinfo was read
	HasStall                      // memory PSI
	HasStallIO                    // io PSI
	HasStallCPU                   // cpu PSI
	HasRefault                    // workingset_refault or workingset_refault_file
	HasZram                       // at least one zram device with data
)

// Sample is what the kernel says about memory at one instant. Sizes are bytes,
// counters are since boot, and the parts outside Has are zero.
type Sample struct {
	At         time.Duration // CLOCK_MONOTONIC when the reading began
	Has        Has
	Memory     Memory
	Counters   Counters
	Watermarks Watermarks
	Zram       Zram
	Stall      Stall // /proc/pressure/memory
	StallIO    Stall // /proc/pressure/io
	StallCPU   Stall // /proc/pressure/cpu
}

// Memory is /proc/meminfo, in bytes (Documentation/filesystems/proc.rst).
type Memory struct {
	Total, Free, Available   uint64
	Buffers, Cached          uint64
	ActiveAnon, InactiveAnon uint64
	ActiveFile, InactiveFile uint64
	Unevictable, Mlocked     uint64
	SwapTotal, SwapFree      uint64
	SwapCached               uint64
	Dirty, Writeback         uint64
	Shmem                    uint64
	SReclaimable, SUnreclaim uint64
	KernelStack, PageTables  uint64
	CmaFree                  uint64
	HugeTotal, HugeFree      uint64 // HugePages_* times Hugepagesize
	Zswap, Zswapped          uint64 // compressed pool and what it holds
	ReclaimableElsewhere     uint64 // known caches that Available misses (ZFS ARC above its minimum)
	CommitLimit, CommittedAS uint64
}

// Counters are events since boot of /proc/vmstat; pages where the kernel
// counts pages.
type Counters struct {
	PgscanDirect, PgscanKswapd, Pgrefill uint64
	PgstealDirect, PgstealKswapd         uint64
	Refault                              uint64 // workingset_refault, else workingset_refault_file (renamed in 5.9)
	RefaultAnon                          uint64 // workingset_refault_anon
	FileLRU                              uint64 // nr_inactive_file + nr_active_file, pages
	AllocStall                           uint64 // allocstall_* summed: entries into direct reclaim
	MajorFaults                          uint64 // pgmajfault
	SwapIn, SwapOut                      uint64 // pswpin, pswpout
	OOMKill                              uint64 // kills by the kernel's own OOM killer
}

// Watermarks are the zones' marks of /proc/zoneinfo in bytes, summed over all
// populated zones, each with the largest lowmem_reserve of its zone added.
type Watermarks struct {
	At             time.Duration // when zoneinfo was read
	Min, Low, High uint64
}

// Zram sums the zram devices in use as swap, in bytes: what /proc/swaps says of
// them, and their /sys/block/zram*/mm_stat.
type Zram struct {
	Original   uint64 // orig_data_size: what was swapped out
	Compressed uint64 // compr_data_size
	MemUsed    uint64 // mem_used_total: what it costs in RAM
	Size, Used uint64 // the part of SwapTotal that lies there, and how much of it is taken
	Limited    bool   // every device has a mem_limit
	Room       uint64 // how much more RAM those limits let them take
}

// Stall is one PSI file. Averages are hundredths of a percent, totals are
// microseconds since boot (Documentation/accounting/psi.rst).
type Stall struct {
	SomeAvg10, SomeAvg60, SomeAvg300 uint32
	FullAvg10, FullAvg60, FullAvg300 uint32
	SomeTotal, FullTotal             uint64
}

// Level is how loudly the kernel spoke: the PSI trigger that woke the judge,
// or none when a poll did.
type Level uint8

// The levels in rising order; their names are Android's.
const (
	LevelNone     Level = iota // a poll, or a reclaim event
	LevelLow                   // vmpressure's low, or an early PSI trigger; none by default
	LevelMedium                // PSI some: partial stall
	LevelCritical              // PSI full: complete stall
)

func (l Level) String() string {
	return [...]string{"none", "low", "medium", "critical"}[l&3]
}

// Reclaim is what the kernel is doing to free memory, as reclaim events tell
// it. Without events Known is false, and the judge derives the state from the
// counters.
type Reclaim struct {
	Known       bool
	Kswapd      bool          // a kswapd is awake
	Direct      bool          // a task is in direct reclaim
	DirectSince time.Duration // begin of the longest direct reclaim, CLOCK_MONOTONIC
}
