package record

import (
	"time"

	"github.com/lmkd/lmkd/pkg/pressure"
)

type wireFacts struct {
	Total        uint64        `json:"total,omitempty"`
	Free         uint64        `json:"free,omitempty"`
	Available    uint64        `json:"available,omitempty"`
	Floor        uint64        `json:"floor,omitempty"`
	Min          uint64        `json:"min,omitempty"`
	Low          uint64        `json:"low,omitempty"`
	High         uint64        `json:"high,omitempty"`
	Mark         pressure.Mark `json:"mark,omitempty"`
	SwapTotal    uint64        `json:"swap_total,omitempty"`
	SwapFree     uint64        `json:"swap_free,omitempty"`
	SwapLow      bool          `json:"swap_low,omitempty"`
	ZramCost     int           `json:"zram_cost,omitempty"`
	SwapUtil     int           `json:"swap_util,omitempty"`
	Thrashing    int           `json:"thrashing,omitempty"`
	Limit        int           `json:"limit,omitempty"`
	FileLRU      uint64        `json:"file_lru,omitempty"`
	Direct       bool          `json:"direct,omitempty"`
	DirectFor    time.Duration `json:"direct_for,omitempty"`
	Kswapd       bool          `json:"kswapd,omitempty"`
	Pressed      bool          `json:"pressed,omitempty"`
	AfterKill    bool          `json:"after_kill,omitempty"`
	FullAvg10    uint32        `json:"full_avg10,omitempty"`
	Stalled      bool          `json:"stalled,omitempty"`
	CheckCache   bool          `json:"check_cache,omitempty"`
	Plenty       bool          `json:"plenty,omitempty"`
	Exhausted    bool          `json:"exhausted,omitempty"`
	StallShare   uint32        `json:"stall_share,omitempty"`
	StallLasting uint32        `json:"stall_lasting,omitempty"`
	Stalling     bool          `json:"stalling,omitempty"`
	Fall         uint64        `json:"fall,omitempty"`
	Ahead        time.Duration `json:"ahead,omitempty"`
	MaxThrashing int           `json:"max_thrashing,omitempty"`

	Spare     uint64         `json:"spare,omitempty"`
	FileCache uint64         `json:"file_cache,omitempty"`
	Target    uint64         `json:"target,omitempty"`
	TargetAdj int16          `json:"target_adj,omitempty"`
	Used      int            `json:"used,omitempty"`
	Level     pressure.Level `json:"level,omitempty"`
	LowFree   uint64         `json:"low_free,omitempty"`
}
