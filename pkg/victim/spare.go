package victim

// Spares tells whether p lives on when the unit that it belongs to dies: what
// the kernel's own killer or this policy would never kill. cgroup is the path of
// the cgroup that dies, nil for another unit.
func (pol *Policy) Spares(p *Process, cgroup []byte) bool {
	switch {
	case p.PID <= 1 || p.Adj <= -1000 || p.Flag&(Kernel|Own) != 0:
		return true
	case p.Effect != Never:
		return pol.protects(p)
	}
	rule := pol.rule(p)
	return rule == nil || !rule.WithPod || !holdsPod(cgroup, p.Cgroup)
}

// holdsPod tells whether the cgroup at path holds all containers of the pod that
// the one at inner belongs to.
func holdsPod(path, inner []byte) bool {
	if len(path) == 0 || len(path) >= len(inner) || string(inner[:len(path)]) != string(path) || inner[len(path)] != '/' {
		return false
	}
	home := ParseCgroup(path)
	return home.Runtime == None
}
