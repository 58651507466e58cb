package control

import (
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/lmkproto"
	"github.com/lmkd/lmkd/pkg/pressure"
	"github.com/lmkd/lmkd/pkg/victim"
)

// The limits of what clients can make the daemon hold: each record is a
// descriptor. Android has some 400 processes.
const (
	maxRecords   = 4096
	maxUntrusted = 256 // of one uid that is not trusted
)

// caller is who sent a packet.
type caller struct {
	pid     int32
	uid     uint32
	trusted bool
}

// registry is everything that clients registered. One goroutine changes it; what
// it published may be read from any.
type registry struct {
	proc    procfs
	limits  *SoftLimits // nil without them
	say     func(format string, args ...any)
	epoll   *sys.Epoll
	records []*entry // by pid
	turn    uint64
	dirty   bool // there is something to publish

	// left are the last that were dropped, the oldest overwritten next: a victim
	// may be gone before clients are told of its kill.
	left   [64]victim.Registration
	leftAt int

	roll    atomic.Pointer[victim.Roll]
	targets atomic.Pointer[pressure.Targets]
}

// recordToken is a token of the epoll for the record of pid.
func recordToken(pid int32) uint64 { return recordBit | uint64(uint32(pid)) }

const recordBit = 1 << 63

// Roll gives what clients registered, nil when nobody ever did. It takes no lock
// and allocates nothing; nobody changes what it gives.
func (g *registry) Roll() *victim.Roll { return g.roll.Load() }

// Targets gives the levels of the last LMK_TARGET, in the same way.
func (g *registry) Targets() pressure.Targets {
	if t := g.targets.Load(); t != nil {
		return *t
	}
	return pressure.Targets{}
}

// publish makes the roll of now, once for all packets of one wake.
func (g *registry) publish() {
	if !g.dirty {
		return
	}
	g.dirty = false
	roll := &victim.Roll{Members: make([]victim.Registration, len(g.records))}
	for i, r := range g.records {
		roll.Members[i] = r.Registration
	}
	g.roll.Store(roll)
}

func (g *registry) find(pid int32) (at int, ok bool) {
	return slices.BinarySearchFunc(g.records, pid, func(r *entry, pid int32) int { return int(r.PID) - int(pid) })
}

// living gives the record of pid, nil for none. One whose process has exited is
// dropped, so that it is not taken for that of a process with the same pid.
func (g *registry) living(pid int32) *entry {
	at, ok := g.find(pid)
	if !ok {
		return nil
	}
	if g.records[at].gone() {
		g.drop(at)
		return nil
	}
	return g.records[at]
}

func (g *registry) drop(at int) {
	r := g.records[at]
	_ = g.epoll.Remove(r.proc.Fd())
	_ = r.proc.Close()
	g.records = slices.Delete(g.records, at, at+1)
	g.left[g.leftAt%len(g.left)] = r.Registration
	g.leftAt++
	g.dirty = true
}

// register does what LMK_PROCPRIO asks for one process: it is registered, or moved
// to the head of the list of its oom_score_adj. An error changes nothing.
func (g *registry) register(c *caller, p *lmkproto.Proc) error {
	if err := p.Check(); err != nil {
		return err
	}
	r := g.living(p.PID)
	fresh := r == nil
	if fresh {
		var err error
		if err = g.room(c); err != nil {
			return err
		}
		if r, err = g.proc.open(p.PID); err != nil {
			return err
		}
	} else if err := r.mayTouch(c); err != nil {
		return err
	}
	err := r.mayAssign(c, p)
	if err == nil && !p.ForLmkdOnly {
		err = g.proc.assign(r, p.Adj)
	}
	if err == nil && p.Type == lmkproto.App && g.limits != nil {
		err = g.limits.set(p.PID, p.Adj)
	}
	if err == nil && fresh {
		err = g.insert(r)
	}
	if err != nil {
		if fresh {
			_ = r.proc.Close()
		}
		return err
	}
	if g.turn++; g.turn == 1 {
		g.say("control: client %d (uid %d) registered the first process", c.pid, c.uid)
	}
	r.Adj, r.UID, r.Turn, r.owner, r.keeper = int16(p.Adj), uint32(p.UID), g.turn, c.pid, c.uid
	g.dirty = true
	return nil
}

// insert adds a new record and watches for its end.
func (g *registry) insert(r *entry) error {
	if e := g.epoll.Add(r.proc.Fd(), sys.In, recordToken(r.PID)); e != 0 {
		return fmt.Errorf("watch pid %d: %w", r.PID, e)
	}
	at, _ := g.find(r.PID)
	g.records = slices.Insert(g.records, at, r)
	return nil
}

// room tells whether a client may register one more.
func (g *registry) room(c *caller) error {
	if len(g.records) >= maxRecords {
		return fmt.Errorf("%d processes are registered, and there is room for no more", maxRecords)
	}
	if c.trusted {
		return nil
	}
	n := 0
	for _, r := range g.records {
		if r.keeper == c.uid {
			n++
		}
	}
	if n >= maxUntrusted {
		return fmt.Errorf("uid %d has registered %d processes, and there is room for no more", c.uid, n)
	}
	return nil
}

// userOf gives the uid that the client said, for a process that is registered or
// was until lately.
func (g *registry) userOf(p *victim.Process) uint32 {
	if at, ok := g.find(p.PID); ok && g.records[at].StartTime == p.StartTime {
		return g.records[at].UID
	}
	for i := range g.left {
		if m := &g.left[i]; m.PID == p.PID && m.StartTime == p.StartTime {
			return m.UID
		}
	}
	return p.UID
}

// exited drops the record of a process that has ended. Some other process may have
// its pid, and a record, by now.
func (g *registry) exited(pid int32) { _ = g.living(pid) }

// remove does what LMK_PROCREMOVE asks. A pid that is not registered is no error:
// the process may have exited.
func (g *registry) remove(c *caller, pid int32) error {
	r := g.living(pid)
	if r == nil {
		return nil
	}
	if err := r.mayTouch(c); err != nil {
		return err
	}
	at, _ := g.find(pid)
	g.drop(at)
	return nil
}

// purge does what LMK_PROCPURGE asks: it forgets whatever the client may touch.
func (g *registry) purge(c *caller) {
	for i := len(g.records) - 1; i >= 0; i-- {
		if g.records[i].mayTouch(c) == nil {
			g.drop(i)
		}
	}
}

// orphan takes the records of a client away from it; they stay.
func (g *registry) orphan(pid int32) {
	for _, r := range g.records {
		if r.owner == pid {
			r.owner = 0
		}
	}
}

// setTargets does what LMK_TARGET asks, all levels or none.
func (g *registry) setTargets(c *caller, levels []lmkproto.Level) error {
	if !c.trusted {
		return fmt.Errorf("uid %d is not trusted with the levels of the machine (control.trusted)", c.uid)
	}
	if len(levels) == 0 {
		return nil // as Android has it
	}
	var t pressure.Targets
	for i := range levels {
		if err := levels[i].Check(); err != nil {
			return err
		}
		t[i] = pressure.Minfree{Bytes: uint64(levels[i].Minfree) * sys.Pagesize(), MinAdj: int16(levels[i].Adj)}
	}
	g.targets.Store(&t)
	return nil
}
