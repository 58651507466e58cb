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

var minfreeTree = [...]rule{
	{LowMinfree, lowMinfree, func(_ *Policy, f *Facts) int { return int(f.TargetAdj) }, lowMinfreeClauses},
}

// older fills in what only the strategies before ByReclaim look at, and what
// presses them: nothing holds an event back, and targets are looked at whenever
// the kernel reclaims.
func (st *State) older(p *Policy, in *Input, f *Facts) {
	switch p.Strategy {
	case ByMinfree:
		minfree(p, in, f)
		f.Pressed, f.Stalled = f.Pressed || in.Event != LevelNone, false
	case ByLevel:
		st.level(p, in, f)
		f.Pressed, f.Stalled = in.Event != LevelNone, false
	case ByReclaim:
	}
}

// minfree finds the first target, in the order sent or else configured, that both the free memory
// above all reserves and the file cache are below. Watermarks must be known:
// without them nothing is short.
func minfree(p *Policy, in *Input, f *Facts) {
	s, targets := in.Sample, &in.Targets
	if *targets == (Targets{}) {
		targets = &p.Minfree
	}
	f.Spare, f.FileCache = spare(s), fileCache(&s.Memory)
	if s.Has&HasWatermarks == 0 {
		return
	}
	for _, t := range targets {
		if f.Spare < t.Bytes && f.FileCache < t.Bytes {
			f.Target, f.TargetAdj = t.Bytes, t.MinAdj
			return
		}
	}
}

// spare is free memory beyond the high marks and the zones' reserves.
func spare(s *Sample) uint64 { return s.Memory.Free - min(s.Memory.Free, s.Watermarks.High) }

// fileCache is what the page cache holds of files on disks and can give back.
func fileCache(m *Memory) uint64 {
	cache := m.Cached + m.Buffers
	return cache - min(cache, m.Shmem+m.Unevictable)
}

func lowMinfree(_ *Policy, v *Verdict) bool { return v.Facts.Target > 0 }

func lowMinfreeClauses(_ *Policy, v *Verdict) []clause {
	f := &v.Facts
	if f.Target == 0 {
		return []clause{{false, "free beyond the high marks " + size(f.Spare) + " and file cache " + size(f.FileCache) +
			" are below no target together"}}
	}
	return []clause{below("free beyond the high marks", f.Spare, "the target", f.Target), below("file cache", f.FileCache, "it too,", f.Target)}
}
