package pressure

// Minfree is one target of Android's older judgement, the pairs that
// ActivityManager sends by LMK_TARGET: below so many bytes, processes at MinAdj
// and above may die.
type Minfree struct {
	Bytes  uint64
	MinAdj int16
}

// Targets are those of the last LMK_TARGET in the order sent, at most six. What
// is unused is zero, and nothing is ever below zero bytes.
type Targets [6]Minfree

// JudgeMinfree is that judgement: the first target, in the order sent, that
// both the free memory above all reserves and the file cache are below gives
// the bar. False is that neither is short of any. Watermarks must be known:
// without them nothing is short.
func JudgeMinfree(targets []Minfree, s *Sample) (minAdj int16, act bool) {
	if s.Has&HasWatermarks == 0 {
		return 0, false
	}
	free, file := spare(s), fileCache(&s.Memory)
	for _, t := range targets {
		if free < t.Bytes && file < t.Bytes {
			return t.MinAdj, true
		}
	}
	return 0, false
}

// spare is free memory beyond the high marks and the zones' reserves.
func spare(s *Sample) uint64 { return s.Memory.Free - min(s.Memory.Free, s.Watermarks.High) }

// fileCache is what the page cache holds of files on disks and can give back.
func fileCache(m *Memory) uint64 {
	cache := m.Cached + m.Buffers
	return cache - min(cache, m.Shmem+m.Unevictable)
}
