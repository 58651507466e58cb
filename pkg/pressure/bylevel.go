package pressure

var levelTree = [...]rule{{PressureLevel, pressureLevel, levelMinAdj, pressureLevelClauses}}

// level finds what an event counts as. The memory in use is what the root of
// cgroup v1's memory controller counts, taken from meminfo, so that the
// hierarchy need not be there.
func (st *State) level(p *Policy, in *Input, f *Facts) {
	if in.Event == LevelLow {
		st.lowFree = raise(st.lowFree, f.Free)
	}
	f.LowFree = st.lowFree
	f.Used = inUse(&in.Sample.Memory)
	f.Level = arbitrate(p, in.Event, f)
}

// raise moves the most free memory seen at low events. A jump of a tenth or more
// is a late event, of memory that was freed meanwhile.
func raise(most, free uint64) uint64 {
	if most == 0 || most < free && free-most < most/10 {
		return free
	}
	return most
}

// inUse is pages of files and of processes in percent of those and what is
// swapped out.
func inUse(m *Memory) int {
	anon := m.ActiveAnon + m.InactiveAnon + m.Unevictable
	memory := m.Cached + m.Buffers + m.SwapCached + anon - min(anon, m.Shmem)
	both := memory + m.SwapTotal - min(m.SwapTotal, m.SwapFree)
	if both == 0 {
		return 100
	}
	return int(memory * 100 / both)
}

// arbitrate gives the level that an event counts as, none when it is let be.
func arbitrate(p *Policy, level Level, f *Facts) Level {
	if level == LevelNone || p.minAdjOf(level) > 1000 {
		return LevelNone
	}
	if p.CriticalUpgrade && level < LevelCritical && f.Used < p.UpgradePressure {
		level++
	}
	switch {
	case f.SwapLow:
	case f.Used > p.DowngradePressure:
		return LevelNone
	case level == LevelCritical && f.Used > p.UpgradePressure:
		return LevelMedium
	}
	return level
}

func (p *Policy) minAdjOf(l Level) int {
	switch l {
	case LevelLow:
		return p.LowMinAdj
	case LevelMedium:
		return p.MediumMinAdj
	case LevelCritical:
		return p.CriticalMinAdj
	case LevelNone:
	}
	return 1001
}

func pressureLevel(p *Policy, v *Verdict) bool {
	return p.minAdjOf(v.Facts.Level) <= 1000 && shortened(p, v)
}

// shortened: less is free than there ever was at a low event.
func shortened(p *Policy, v *Verdict) bool {
	f := &v.Facts
	return p.LowRAM || f.LowFree == 0 || f.Free < f.LowFree
}

func levelMinAdj(p *Policy, f *Facts) int { return p.minAdjOf(f.Level) }

func pressureLevelClauses(p *Policy, v *Verdict) []clause {
	f := &v.Facts
	event := clause{p.minAdjOf(f.Level) <= 1000, "a " + v.Event.String() + " event"}
	switch {
	case v.Event == LevelNone:
		event.text = "there was no event"
	case p.minAdjOf(v.Event) > 1000:
		event.text += " is no reason"
	case f.Level == LevelNone:
		event.text += " is let be with swap left and " + percent(f.Used) + " of what is used in memory, more than " + percent(p.DowngradePressure)
	case f.Level != v.Event:
		event.text += " counts as " + f.Level.String() + " with " + percent(f.Used) + " of what is used in memory"
		if !event.ok {
			event.text += ", which is no reason"
		}
	}
	if p.LowRAM || f.LowFree == 0 {
		return []clause{event}
	}
	return []clause{event, below("free", f.Free, "the most at a low event", f.LowFree)}
}
