package victim

// heed lets what the process's cgroup says count, where the rule that holds for
// it does not say otherwise: memory.oom.group, that it dies as a whole, and
// systemd's ManagedOOMPreference. Of a built-in rule and that, whichever spares
// the process the more holds. r is nil without a rule.
func (p *Process) heed(r *Rule) {
	if p.OOMGroup > 0 && (r == nil || !r.SaysDeath && r.Death == AsProcess) {
		p.Death = AsOOMGroup
	}
	if r != nil && r.SaysEffect {
		return
	}
	if preferred := p.preferred(); preferred != Usual && places[preferred] > places[p.Effect] {
		p.Effect = preferred
	}
}

// preferred is what systemd's setting says; omit wins over avoid, as with
// systemd-oomd.
func (p *Process) preferred() Effect {
	switch {
	case p.Is(Omitted):
		return Never
	case p.Is(Avoided):
		return Last
	}
	return Usual
}

// omitted and avoided tell whether it was systemd's setting that made p so, and
// not its rule r.
func (p *Process) omitted(r *Rule) bool {
	return p.Is(Omitted) && p.Effect == Never && (r == nil || r.Effect != Never)
}

func (p *Process) avoided(r *Rule) bool {
	return p.Is(Avoided) && p.Effect == Last && (r == nil || r.Effect != Last)
}
