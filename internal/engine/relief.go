package engine

import (
	"time"

	"github.com/lmkd/lmkd/pkg/pressure"
)

// Act is what a Relief does: something softer than a kill.
type Act uint8

// The acts.
const (
	Notify  Act = iota // a line in the log; no input answers it
	Reclaim            // the kernel reclaims memory of the cgroups, to swap or from the cache
	Freeze             // the tasks of the cgroups stand still until the end of the act
)

var actText = [...]string{"notify", "reclaim", "freeze"}

func (a Act) String() string { return actText[min(int(a), len(actText)-1)] }

// Relief is an act that a level calls for.
type Relief struct {
	At      pressure.Level
	Act     Act
	Cgroups []string // patterns of the paths of the cgroups
	Amount  uint64   // Reclaim: bytes, of all of them together

	// For is how long the act may last; it ends sooner when the level falls
	// below At. Pause is the least time between its end and its next beginning.
	For, Pause time.Duration
}

// MaxRelief is how many acts a policy may have.
const MaxRelief = 8

// reliefPatience is the longest that a kill waits for acts, whatever their For.
const reliefPatience = 2 * time.Second

// relief is what a domain remembers of its acts. Bit i of a mask is about the
// policy's Relief i.
type relief struct {
	running uint8 // begun, and not answered by Relieved
	ending  uint8 // of them those that were told to end
	until   [MaxRelief]time.Duration
	again   [MaxRelief]time.Duration // not to begin before

	// patience is until when a kill waits for what runs; 0 before the first look
	// of a row that acts.
	patience time.Duration
}

// relieve begins the acts that the level a look found calls for, and ends those
// that the domain's level, which holds longer, calls for no more.
func (st *State) relieve(p *Policy, found pressure.Level, now time.Duration) {
	var begin, end uint8
	for i := range p.Relief[:min(len(p.Relief), MaxRelief)] {
		r, bit := &p.Relief[i], uint8(1)<<i
		switch {
		case st.relief.running&bit != 0:
			if st.levels.now < r.At && st.relief.ending&bit == 0 {
				end |= bit
			}
		case found >= r.At && now >= st.relief.again[i]:
			begin |= bit
			st.relief.until[i], st.relief.again[i] = now+r.For, now+r.For+r.Pause
			if r.Act != Notify {
				st.relief.running |= bit
			}
		}
	}
	st.relief.ending |= end
	if end != 0 {
		st.do(Action{Do: Relent, Acts: end})
	}
	if begin != 0 {
		st.do(Action{Do: Relieve, Acts: begin})
	}
}

// relieved takes the end of an act. A kill that waited for the last one is
// judged anew at once.
func (st *State) relieved(p *Policy, in *Input) {
	i := int(in.Act)
	if i >= min(len(p.Relief), MaxRelief) || st.relief.running&(1<<i) == 0 {
		return
	}
	st.relief.running &^= 1 << i
	st.relief.ending &^= 1 << i
	st.relief.again[i] = in.At + p.Relief[i].Pause
	if st.phase == watching && st.relief.running == 0 && st.relief.patience > in.At {
		st.look(p, in.At)
	}
}

// patient lets the acts that run come to their end before a kill, but never one
// that must be made now. A row of verdicts that act waits once: acts that begin
// again do not put a kill off again.
func (st *State) patient(p *Policy, in *Input) bool {
	r := &st.relief
	if r.patience == 0 {
		r.patience = in.At
		for i := range p.Relief[:min(len(p.Relief), MaxRelief)] {
			if r.running&(1<<i) != 0 {
				r.patience = max(r.patience, min(r.until[i], in.At+reliefPatience))
			}
		}
	}
	if hasty(&st.verdict) || r.running == 0 || in.At >= r.patience {
		return false
	}
	if st.out.Note == NoNote {
		st.out.Note = Relieving
	}
	st.wait(min(r.patience, in.At+min(p.Poll, st.distance(p, in.Sample))))
	return true
}

// hasty tells that memory is exhausted, or as good as that, or that all stands
// still: nothing softer comes in time.
func hasty(v *pressure.Verdict) bool {
	f := &v.Facts
	switch v.Reason {
	case pressure.LowAvailable, pressure.ExhaustionAhead, pressure.PressureAfterKill, pressure.NotResponding:
		return true
	}
	return f.Exhausted || f.Available < f.Floor || f.Mark == pressure.BelowMin
}
