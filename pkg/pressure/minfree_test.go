package pressure_test

import (
	"testing"

	"github.com/lmkd/lmkd/pkg/pressure"
)

func TestJudgeMinfree(t *testing.T) {
	targets := []pressure.Minfree{ // what ActivityManager sends on a large phone, in MiB
		{Bytes: 72 << 20, MinAdj: 0}, {Bytes: 90 << 20, MinAdj: 100}, {Bytes: 144 << 20, MinAdj: 900}, {Bytes: 180 << 20, MinAdj: 950},
	}
	for _, tc := range []struct {
		name       string
		free, file uint64 // MiB
		minAdj     int16
		act        bool
	}{
		{"nothing is short", 500, 500, 0, false},
		{"free is short, the cache is not", 10, 500, 0, false},
		{"the cache is short, free is not", 500, 10, 0, false},
		{"at a target is not below it", 210, 180, 0, false},
		{"both below the largest", 209, 179, 950, true},
		{"the first in order of those that both are below", 150, 143, 900, true},
		{"both below all", 40, 10, 0, true},
	} {
		s := pressure.Sample{
			Has:        pressure.HasWatermarks,
			Memory:     pressure.Memory{Free: tc.free << 20, Cached: (tc.file + 40) << 20, Buffers: 10 << 20, Shmem: 30 << 20, Unevictable: 20 << 20, SwapCached: 5 << 20},
			Watermarks: pressure.Watermarks{Min: 10 << 20, Low: 20 << 20, High: 30 << 20},
		}
		if adj, act := pressure.JudgeMinfree(targets, &s); adj != tc.minAdj || act != tc.act {
			t.Errorf("%s: %d %v, want %d %v", tc.name, adj, act, tc.minAdj, tc.act)
		}
		s.Has = 0
		if _, act := pressure.JudgeMinfree(targets, &s); act {
			t.Errorf("%s: acts without watermarks", tc.name)
		}
	}
}
