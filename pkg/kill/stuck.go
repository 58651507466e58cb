package kill

import (
	"path/filepath"
	"strconv"
	"strings"

	"github.com/lmkd/lmkd/internal/sys"
)

// Hold is what keeps a dying process from being gone, a set of bits.
type Hold uint16

// The holds. The first four can last for ever, whatever is done to the victim.
const (
	Uninterruptible Hold = 1 << iota // a thread sleeps in state D, which SIGKILL does not end
	Dumping                          // its memory is being written to a core dump
	Traced                           // a tracer has yet to take note of a thread's end
	NamespaceInit                    // pid 1 of a pid namespace: all its processes end first
	Shared                           // a living process has the same address space
	VforkParent                      // one of those is its child, between vfork and exec
	ZombieLeader                     // its first thread has ended, others have not
	Stopped                          // by SIGSTOP or a terminal: SIGKILL ends that
	FrozenV1                         // in a frozen v1 cgroup, where SIGKILL waits for the thaw
	FrozenV2                         // in a frozen v2 cgroup, which SIGKILL passes
)

var holdText = [...]string{"uninterruptible", "dumping core", "traced", "init of a namespace", "memory shared",
	"vfork parent", "leader dead", "stopped", "frozen (v1)", "frozen (v2)"}

// Lasting are the holds that make a victim a stuck one.
const Lasting = Uninterruptible | Dumping | Traced | NamespaceInit | FrozenV1

func (h Hold) String() string {
	var words []string
	for i, text := range holdText {
		if h>>i&1 == 1 {
			words = append(words, text)
		}
	}
	return strings.Join(words, ", ")
}

// MarshalText gives the words, comma-separated.
func (h Hold) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// Condition is how a process stands between life and death, as /proc tells.
type Condition struct {
	Dead    bool   `json:"dead"`             // it has exited, reaped or not
	Dying   bool   `json:"dying"`            // it will never see user space again
	Ended   bool   `json:"ended"`            // every thread has; a tracer or a parent has yet to take note
	Threads int    `json:"threads"`          // those not yet gone, the leader included
	Holds   Hold   `json:"holds"`            // what keeps it
	Tracer  int    `json:"tracer,omitempty"` // who traces a thread of it
	Where   string `json:"where,omitempty"`  // the kernel function that an uninterruptible thread sleeps in
}

// Look looks at the victim without touching it. Shared and VforkParent are not
// looked for: Twins does that.
func (v *Victim) Look() Condition {
	var c Condition
	leader, e := readStat(v.dir.Int(), "stat")
	if c.Dead = v.Gone() || e == sys.ESRCH; c.Dead {
		return c
	}
	c.Threads = leader.threads
	c.Dying, c.Ended = true, true // until a thread is seen that is not
	v.eachThread(&c)
	if leader.state == 'Z' && leader.threads > 1 {
		c.Holds |= ZombieLeader
	}
	if s, e := readStatus(v.dir.Int(), "status"); e == 0 && s.nested && s.inner == 1 {
		c.Holds |= NamespaceInit
	}
	if frozenV1(v.places.freezer) {
		c.Holds |= FrozenV1
	}
	if frozenV2(v.places.unified) {
		c.Holds |= FrozenV2
	}
	return c
}

// eachThread looks at every thread: one that lives makes the process a living
// one.
func (v *Victim) eachThread(c *Condition) {
	_ = eachNumber(v.dir.Int(), "task", func(tid int) bool {
		path := "task/" + strconv.Itoa(tid) + "/"
		st, e := readStat(v.dir.Int(), path+"stat")
		if e != 0 {
			return true
		}
		s, e := readStatus(v.dir.Int(), path+"status")
		if e != 0 {
			return true
		}
		c.thread(st, s)
		if st.state == 'D' && c.Where == "" {
			var buf [64]byte
			where, _ := readAt(v.dir.Int(), path+"wchan", buf[:])
			if string(where) != "0" { // a kernel without symbols, or not permitted
				c.Where = string(where)
			}
		}
		return true
	})
}

// thread adds one thread to a condition.
func (c *Condition) thread(st stat, s status) {
	over := st.state == 'Z' || st.state == 'X'
	c.Ended = c.Ended && over
	c.Dying = c.Dying && (over || s.killed || s.dumping || st.flags&(taskExiting|taskDumping) != 0)
	switch st.state {
	case 'D':
		c.Holds |= Uninterruptible
	case 'T', 't':
		c.Holds |= Stopped
	}
	if s.dumping || st.flags&taskDumping != 0 {
		c.Holds |= Dumping
	}
	if s.tracer != 0 {
		c.Holds |= Traced
		c.Tracer = s.tracer
	}
}

func frozenV1(dir string) bool {
	if dir == "" {
		return false
	}
	text, e := readFile(filepath.Join(dir, "freezer.state"))
	return e == 0 && text != "THAWED"
}

func frozenV2(dir string) bool {
	if dir == "" {
		return false
	}
	text, e := readFile(filepath.Join(dir, "cgroup.events"))
	return e == 0 && strings.Contains(text, "frozen 1")
}
