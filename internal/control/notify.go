package control

import (
	"math"
	"sync/atomic"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/lmkproto"
	"github.com/lmkd/lmkd/pkg/pressure"
	"github.com/lmkd/lmkd/pkg/victim"
)

// Kill is one kill, as subscribers hear of it.
type Kill struct {
	Victim  victim.Process // without its texts
	Verdict pressure.Verdict
	// MaxThrashing is the most that any verdict saw since the kill before, percent.
	MaxThrashing int
}

// Killed tells of a kill, after its record was made. It never waits: when clients
// could not be told of the last 64 yet, this one is only counted.
func (a *Android) Killed(k *Kill) {
	a.kills.add(k.Victim.Adj)
	kill := *k
	kill.Victim.Cgroup, kill.Victim.Cmdline = nil, nil
	select {
	case a.mail <- kill:
	default:
		a.missed.Add(1)
	}
	a.bell.Notify()
}

// tell sends the kills that came in to those who asked.
func (a *Android) tell() {
	if n := a.missed.Swap(0); n > 0 {
		a.opt.Say("control: %d kills came too fast to tell clients of them", n)
	}
	for {
		select {
		case k := <-a.mail:
			if !a.opt.NoStats {
				a.send(lmkproto.StatEvent, &lmkproto.Message{Command: lmkproto.StatKill, Stat: k.stat()})
			}
			a.send(lmkproto.KillEvent, &lmkproto.Message{Command: lmkproto.ProcKill, Kill: lmkproto.Kill{
				PID: k.Victim.PID, UID: int32(a.userOf(&k.Victim)), RSS: narrow(k.Victim.RSS >> 10),
			}})
		default:
			return
		}
	}
}

// send hands a message to those who subscribed to the event. Who does not read
// loses it, and nobody waits.
func (a *Android) send(event lmkproto.Event, m *lmkproto.Message) {
	packet := m.Append(a.out[:0])
	for _, c := range a.clients {
		if !c.subscribed[event] {
			continue
		}
		// A client that is gone is found so by its own readiness.
		if e := sys.SendPacket(c.conn.Int(), packet); e == sys.EAGAIN || e == sys.ENOBUFS {
			if c.missed++; c.missed == 1 {
				a.opt.Say("control: %v does not read, and misses notifications", c)
			}
		}
	}
}

// startTick is the unit of start times, USER_HZ, in nanoseconds.
const startTick = 1e9 / 100

// stat gives the numbers of a kill. Minor faults are not read of a victim.
func (k *Kill) stat() lmkproto.Stat {
	p, f := &k.Victim, &k.Verdict.Facts
	return lmkproto.Stat{
		PageFaults: -1, MajorFaults: int64(p.MajorFaults),
		RSS: int64(p.RSS), Cache: int64(p.RssFile), Swap: int64(p.Swap), StartTime: int64(p.StartTime) * startTick,
		UID: int32(p.UID), Adj: int32(p.Adj), MinAdj: int32(k.Verdict.MinAdj),
		Free: narrow(f.Free >> 10), FreeSwap: narrow(f.SwapFree >> 10), Reason: int32(k.Verdict.Reason),
		Thrashing: int32(f.Thrashing), MaxThrashing: int32(max(k.MaxThrashing, f.Thrashing)),
		Name: p.Comm[:p.CommLen],
	}
}

func narrow(v uint64) int32 { return int32(min(v, math.MaxInt32)) }

// counters count kills by oom_score_adj since the daemon's start. They may be used
// from any goroutine.
type counters struct {
	by    [lmkproto.MaxAdj - lmkproto.MinAdj + 1]atomic.Int32
	total atomic.Int32
}

func (n *counters) add(adj int16) {
	n.total.Add(1)
	n.by[int(adj)-lmkproto.MinAdj].Add(1)
}

// between counts the kills from low to high; beyond the highest oom_score_adj is
// the total.
func (n *counters) between(low, high int32) (sum int32) {
	switch {
	case low > high:
		return 0
	case low > lmkproto.MaxAdj:
		return n.total.Load()
	}
	for adj := max(low, lmkproto.MinAdj); adj <= min(high, lmkproto.MaxAdj); adj++ {
		sum += n.by[adj-lmkproto.MinAdj].Load()
	}
	return sum
}
