package victim

import "time"

// Effect is what a rule does to the processes that it matches.
type Effect uint8

// The effects.
const (
	Usual Effect = iota // as if there were no rule: it lifts those behind it
	Never               // not chosen
	Last                // behind all others that are worth a kill
	First               // before all others that are worth a kill
)

var effectText = [...]string{Usual: "usual", Never: "never", Last: "last", First: "first"}

func (e Effect) String() string {
	if int(e) >= len(effectText) {
		return "unknown"
	}
	return effectText[e]
}

// Effects lists all of them.
func Effects() []Effect { return []Effect{Usual, Never, Last, First} }

// Death is what dies when a process is chosen.
type Death uint8

// The units of death.
const (
	AsProcess  Death = iota // the process with its threads
	AsTree                  // with all its descendants
	AsCgroup                // with all in its cgroup and below it
	AsSession               // with all of its session
	AsGroup                 // with all of its process group
	AsOOMGroup              // with all in the cgroup whose memory.oom.group says so, and below it
	AsBrood                 // with the young of its process group, and those of its name there or with its parent
)

var deathText = [...]string{
	AsProcess: "process", AsTree: "tree", AsCgroup: "cgroup", AsSession: "session", AsGroup: "group", AsOOMGroup: "oom group",
	AsBrood: "brood",
}

func (d Death) String() string {
	if int(d) >= len(deathText) {
		return "unknown"
	}
	return deathText[d]
}

// Deaths lists those that a rule can name.
func Deaths() []Death { return []Death{AsProcess, AsTree, AsCgroup, AsSession, AsGroup} }

// Rule says who goes before or behind others. Of several rules that match a
// process the first holds.
type Rule struct {
	// Name is the rule as a person wrote it, or the name of a built-in one.
	Name string
	// Match says whom it is about. It is applied when a process is read, and
	// what came of it is kept with the process.
	Match Match `json:"-"`

	Effect Effect
	// Adjust is added to oom_score_adj for the class and for the verdict's bar.
	Adjust int16
	// Death is what dies with the process.
	Death Death
	// SaysEffect and SaysDeath tell that a person wrote these down: then what the
	// process's cgroup says of them does not count.
	SaysEffect, SaysDeath bool
	// WithPod lets a protected process die with its whole pod.
	WithPod bool
	// Below is the share of RAM in percent from which on the rule does not hold
	// any more, 0 for none: who has that much is the trouble, whatever its name.
	Below uint8
	// Term is how long the process may take to obey a SIGTERM before it is
	// killed; 0 leaves that to the domain.
	Term time.Duration
}

// Term gives the patience with a SIGTERM of the rule that holds for p, 0 for none.
func (pol *Policy) Term(p *Process) time.Duration {
	if r := pol.rule(p); r != nil {
		return r.Term
	}
	return 0
}

// rule gives the rule that holds for p, nil for none.
func (pol *Policy) rule(p *Process) *Rule {
	if p.Rule <= 0 || int(p.Rule) > len(pol.Rules) {
		return nil
	}
	return &pol.Rules[p.Rule-1]
}

// promotes tells whether the rule can let a process die earlier than its size
// and its class say: then phase one must know it. One that dies with others
// gives back more than its size.
func (r *Rule) promotes() bool { return r.Effect == First || r.Adjust > 0 || r.Death != AsProcess }

// Match is a set of conditions, all of which must hold; an empty one holds.
// Patterns see raw bytes of the kernel's.
type Match struct {
	Comm    Pattern // the task name
	Users   []uint32
	Cgroup  Pattern // the path of the cgroup that memory is charged to
	Unit    Pattern // the systemd unit in that path
	Slice   Pattern // the innermost slice in that path
	Runtime Pattern // "docker", "containerd", …; of no process outside a container
	ID      Pattern // the container's id
	Inside  bool    // in a container
	Outside bool    // in none
	Leader  bool    // it leads a session

	// These are read for it alone, when all else holds.
	Parent  Pattern // the parent's task name
	Exe     Pattern // the path of the executable
	Cmdline Pattern // the command line, its words parted by blanks
	Environ Pattern // any one of NAME=VALUE
}

// Pattern matches a text as a whole; a *regexp.Regexp with both ends anchored
// is one.
type Pattern interface{ Match(text []byte) bool }

// Text is a kind of text that is read when a rule asks for it.
type Text uint8

// The texts.
const (
	Parent  Text = iota // the task name of the parent
	Exe                 // the target of /proc/PID/exe
	Cmdline             // words parted and ended by NUL
	Environ             // the same
)

// Reader gives the texts of the process that is being marked; nil when one can
// not be read.
type Reader interface{ Text(which Text) []byte }

// Mark applies the rules to p, whose phase two is read, and keeps in it what
// the first that matches says. ram is the memory of the machine in bytes.
func (pol *Policy) Mark(p *Process, r Reader, ram uint64) {
	p.Rule, p.Effect, p.Adjust, p.Death = 0, Usual, 0, AsProcess
	home := ParseCgroup(p.Cgroup)
	for i := range pol.Rules {
		rule := &pol.Rules[i]
		if rule.Match.holds(p, &home, r) && !rule.outgrown(p, ram) {
			p.Rule, p.Effect, p.Adjust, p.Death = int16(i+1), rule.Effect, rule.Adjust, rule.Death
			break
		}
	}
	p.heed(pol.rule(p))
}

// Matches tells whether the rule is about p, whatever stands before it. p and r
// are as for Mark.
func (r *Rule) Matches(p *Process, from Reader, ram uint64) bool {
	home := ParseCgroup(p.Cgroup)
	return r.Match.holds(p, &home, from) && !r.outgrown(p, ram)
}

// outgrown tells whether p has so much memory that the rule holds no more.
func (r *Rule) outgrown(p *Process, ram uint64) bool {
	return r.Below > 0 && p.RssAnon+p.RssShmem+p.Swap >= ram/100*uint64(r.Below)
}

// Promotes tells whether a rule can let a process die earlier than its size and
// class say. Then all processes that are worth a kill must be marked before the
// best are sought.
func (pol *Policy) Promotes() bool {
	for i := range pol.Rules {
		if pol.Rules[i].promotes() {
			return true
		}
	}
	return false
}

// Lowest gives the lowest oom_score_adj that may pass the query's bar, as rules
// may raise it.
func (pol *Policy) Lowest(q *Query) int16 {
	var most int16
	for i := range pol.Rules {
		most = max(most, pol.Rules[i].Adjust)
	}
	return q.MinAdj - most
}

func (m *Match) holds(p *Process, home *Home, r Reader) bool {
	return m.here(p) && m.at(home) && m.reads(r)
}

// here looks at what phase two knows of any process.
func (m *Match) here(p *Process) bool {
	switch {
	case m.Comm != nil && !m.Comm.Match(p.Comm[:p.CommLen]),
		m.Leader && !p.Is(LeadsSession),
		m.Cgroup != nil && !m.Cgroup.Match(p.Cgroup):
		return false
	}
	for _, uid := range m.Users {
		if uid == p.UID {
			return true
		}
	}
	return m.Users == nil
}

// at looks at what the cgroup's path says.
func (m *Match) at(home *Home) bool {
	inside := home.Runtime != None
	switch {
	case m.Inside && !inside, m.Outside && inside,
		m.Unit != nil && !m.Unit.Match(home.Unit),
		m.Slice != nil && !m.Slice.Match(home.Slice),
		m.ID != nil && !(inside && m.ID.Match(home.Container)),
		m.Runtime != nil && !(inside && m.Runtime.Match(home.Runtime.text())):
		return false
	}
	return true
}

// reads looks at what must be read first.
func (m *Match) reads(r Reader) bool {
	for _, part := range [...]struct {
		pattern Pattern
		which   Text
	}{{m.Parent, Parent}, {m.Exe, Exe}, {m.Cmdline, Cmdline}, {m.Environ, Environ}} {
		if part.pattern == nil {
			continue
		}
		text := r.Text(part.which)
		if text == nil || part.which != Environ && !part.pattern.Match(text) ||
			part.which == Environ && !anyEntry(part.pattern, text) {
			return false
		}
	}
	return true
}

// anyEntry tries the entries of an environment, each ended by NUL.
func anyEntry(pattern Pattern, text []byte) bool {
	for start, i := 0, 0; i <= len(text); i++ {
		if i == len(text) || text[i] == 0 {
			if i > start && pattern.Match(text[start:i]) {
				return true
			}
			start = i + 1
		}
	}
	return false
}
