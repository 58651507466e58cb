package victim

// Exclusion is the reason why a process can not be chosen.
type Exclusion uint8

// The reasons, in the order in which they are looked for.
const (
	Eligible       Exclusion = iota
	IsInit                   // PID 1
	IsKernel                 // a kernel thread
	IsOwn                    // the daemon or its ancestor
	IsUnkillable             // oom_score_adj is -1000
	IsGone                   // vanished or a zombie
	IsDying                  // on its way out already: killing it again gives nothing
	IsStuck                  // an earlier kill failed or timed out
	IsBelowMinAdj            // more important than the verdict allows
	IsProtected              // a rule says never
	HasNothing               // a kill would give nothing back
	IsUnregistered           // no client registered it, and nobody else may die
	IsOmitted                // its cgroup is not to be killed in
)

var exclusionText = [...]string{
	Eligible:      "eligible",
	IsInit:        "it is init",
	IsKernel:      "it is a kernel thread",
	IsOwn:         "it is the daemon or its ancestor",
	IsUnkillable:  "its oom_score_adj is -1000",
	IsGone:        "it is gone",
	IsDying:       "it is dying already",
	IsStuck:       "an earlier kill did not end it",
	IsBelowMinAdj: "its oom_score_adj is below what the verdict allows",
	IsProtected:   "a rule protects it",
	HasNothing:    "a kill would give nothing back",

	IsUnregistered: "no client registered it",
	IsOmitted:      "its cgroup has ManagedOOMPreference=omit",
}

func (e Exclusion) String() string { return exclusionText[e] }

// Excluded tells whether p may be chosen by q, and why not.
func (pol *Policy) Excluded(q *Query, p *Process) Exclusion {
	switch {
	case p.PID <= 1:
		return IsInit
	case p.Is(Kernel):
		return IsKernel
	case p.Is(Own):
		return IsOwn
	case p.Adj <= -1000:
		return IsUnkillable
	case p.Is(Unregistered):
		return IsUnregistered
	case p.Flag&(Vanished|Zombie) != 0:
		return IsGone
	case p.Is(Dying):
		return IsDying
	case q.Shun.Has(p):
		return IsStuck
	case p.Standing() < q.MinAdj:
		return IsBelowMinAdj
	case pol.protects(p):
		return IsProtected
	case p.Effect == Never:
		return IsOmitted
	case q.Gain(p) == 0:
		return HasNothing
	}
	return Eligible
}

func (pol *Policy) protects(p *Process) bool {
	if p.Effect == Never && !p.omitted(pol.rule(p)) {
		return true
	}
	if p.CommLen == 0 {
		return false
	}
	for _, name := range pol.Never {
		if string(p.Comm[:p.CommLen]) == name {
			return true
		}
	}
	return false
}
