package record

import (
	"time"

	"github.com/lmkd/lmkd/pkg/pressure"
)

// The types here are the trace's own shapes: what differs from the engine's
// types is only the name of each field. A field that one side lacks does not
// compile, or fails TestTraceKeepsEveryField. Zero values are left out.

type wireSample struct {
	At         time.Duration  `json:"at"`
	Has        uint32         `json:"has"`
	Memory     wireMemory     `json:"memory,omitzero"`
	Counters   wireCounters   `json:"counters,omitzero"`
	Watermarks wireWatermarks `json:"watermarks,omitzero"`
	Zram       wireZram       `json:"zram,omitzero"`
	Stall      wireStall      `json:"stall,omitzero"`
	StallIO    wireStall      `json:"stall_io,omitzero"`
	StallCPU   wireStall      `json:"stall_cpu,omitzero"`
}

type wireMemory struct {
	Total                uint64 `json:"total,omitempty"`
	Free                 uint64 `json:"free,omitempty"`
	Available            uint64 `json:"available,omitempty"`
	Buffers              uint64 `json:"buffers,omitempty"`
	Cached               uint64 `json:"cached,omitempty"`
	ActiveAnon           uint64 `json:"active_anon,omitempty"`
	InactiveAnon         uint64 `json:"inactive_anon,omitempty"`
	ActiveFile           uint64 `json:"active_file,omitempty"`
	InactiveFile         uint64 `json:"inactive_file,omitempty"`
	Unevictable          uint64 `json:"unevictable,omitempty"`
	Mlocked              uint64 `json:"mlocked,omitempty"`
	SwapTotal            uint64 `json:"swap_total,omitempty"`
	SwapFree             uint64 `json:"swap_free,omitempty"`
	SwapCached           uint64 `json:"swap_cached,omitempty"`
	Dirty                uint64 `json:"dirty,omitempty"`
	Writeback            uint64 `json:"writeback,omitempty"`
	Shmem                uint64 `json:"shmem,omitempty"`
	SReclaimable         uint64 `json:"sreclaimable,omitempty"`
	SUnreclaim           uint64 `json:"sunreclaim,omitempty"`
	KernelStack          uint64 `json:"kernel_stack,omitempty"`
	PageTables           uint64 `json:"page_tables,omitempty"`
	CmaFree              uint64 `json:"cma_free,omitempty"`
	HugeTotal            uint64 `json:"huge_total,omitempty"`
	HugeFree             uint64 `json:"huge_free,omitempty"`
	Zswap                uint64 `json:"zswap,omitempty"`
	Zswapped             uint64 `json:"zswapped,omitempty"`
	ReclaimableElsewhere uint64 `json:"reclaimable_elsewhere,omitempty"`
	CommitLimit          uint64 `json:"commit_limit,omitempty"`
	CommittedAS          uint64 `json:"committed_as,omitempty"`
}

type wireCounters struct {
	PgscanDirect  uint64 `json:"pgscan_direct,omitempty"`
	PgscanKswapd  uint64 `json:"pgscan_kswapd,omitempty"`
	Pgrefill      uint64 `json:"pgrefill,omitempty"`
	PgstealDirect uint64 `json:"pgsteal_direct,omitempty"`
	PgstealKswapd uint64 `json:"pgsteal_kswapd,omitempty"`
	Refault       uint64 `json:"refault,omitempty"`
	RefaultAnon   uint64 `json:"refault_anon,omitempty"`
	FileLRU       uint64 `json:"file_lru,omitempty"`
	AllocStall    uint64 `json:"alloc_stall,omitempty"`
	MajorFaults   uint64 `json:"major_faults,omitempty"`
	SwapIn        uint64 `json:"swap_in,omitempty"`
	SwapOut       uint64 `json:"swap_out,omitempty"`
	OOMKill       uint64 `json:"oom_kill,omitempty"`
}

type wireWatermarks struct {
	At   time.Duration `json:"at,omitempty"`
	Min  uint64        `json:"min,omitempty"`
	Low  uint64        `json:"low,omitempty"`
	High uint64        `json:"high,omitempty"`
}

type wireZram struct {
	Original   uint64 `json:"original,omitempty"`
	Compressed uint64 `json:"compressed,omitempty"`
	MemUsed    uint64 `json:"mem_used,omitempty"`
	Size       uint64 `json:"size,omitempty"`
	Used       uint64 `json:"used,omitempty"`
	Limited    bool   `json:"limited,omitempty"`
	Room       uint64 `json:"room,omitempty"`
}

type wireStall struct {
	SomeAvg10  uint32 `json:"some_avg10,omitempty"`
	SomeAvg60  uint32 `json:"some_avg60,omitempty"`
	SomeAvg300 uint32 `json:"some_avg300,omitempty"`
	FullAvg10  uint32 `json:"full_avg10,omitempty"`
	FullAvg60  uint32 `json:"full_avg60,omitempty"`
	FullAvg300 uint32 `json:"full_avg300,omitempty"`
	SomeTotal  uint64 `json:"some_total,omitempty"`
	FullTotal  uint64 `json:"full_total,omitempty"`
}

func toWireSample(s *pressure.Sample) *wireSample {
	return &wireSample{
		s.At, uint32(s.Has), wireMemory(s.Memory), wireCounters(s.Counters), wireWatermarks(s.Watermarks),
		wireZram(s.Zram), wireStall(s.Stall), wireStall(s.StallIO), wireStall(s.StallCPU),
	}
}

func (w *wireSample) sample() *pressure.Sample {
	return &pressure.Sample{
		At: w.At, Has: pressure.Has(w.Has),
		Memory: pressure.Memory(w.Memory), Counters: pressure.Counters(w.Counters),
		Watermarks: pressure.Watermarks(w.Watermarks), Zram: pressure.Zram(w.Zram),
		Stall: pressure.Stall(w.Stall), StallIO: pressure.Stall(w.StallIO), StallCPU: pressure.Stall(w.StallCPU),
	}
}
