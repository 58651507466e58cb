package engine

import (
	"time"

	"github.com/lmkd/lmkd/pkg/pressure"
	"github.com/lmkd/lmkd/pkg/victim"
)

// pace remembers the times of the last kills, so that a storm of them ends.
type pace struct {
	at   [maxKillsLimit]time.Duration
	next int
	made int
}

// maxKillsLimit is the most that MaxKills can be.
const maxKillsLimit = 128

// note takes one kill.
func (p *pace) note(now time.Duration) {
	p.at[p.next] = now
	p.next = (p.next + 1) % len(p.at)
	p.made = min(p.made+1, len(p.at))
}

// until gives when the next kill may be made: 0 for now.
func (p *pace) until(limit int, window, now time.Duration) time.Duration {
	if limit <= 0 || p.made < limit {
		return 0
	}
	oldest := p.at[(p.next+len(p.at)-limit)%len(p.at)]
	if now-oldest >= window {
		return 0
	}
	return oldest + window
}

// heldByFiles tells that most of memory belongs to no process: files on tmpfs,
// and shared memory that nobody maps. A kill that would give back little beside
// it does not cure that, and would hit an innocent.
func (st *State) heldByFiles(candidates []victim.Process, gain uint64) bool {
	var mapped uint64
	for i := range candidates {
		mapped = max(mapped, candidates[i].RssShmem)
	}
	held := st.shmem - min(st.shmem, mapped)
	return held > st.total/2 && gain < held/8
}

// gain gives what the first of the ranking would give back, 0 when nobody can
// be chosen.
func (st *State) gain() uint64 {
	if st.ranking.Eligible == 0 {
		return 0
	}
	return st.ranking.Places[0].Gain
}

// unsettled waits, for a while, when memory is on its way back: of the last
// victim, or of somebody else who is dying.
func (st *State) unsettled(p *Policy, in *Input, gain uint64) bool {
	switch {
	case st.cooling(in.At):
		st.hold(Cooling, min(st.coolEnd, in.At+p.PollUrgent))
	case st.freeing(p, in, gain):
		st.hold(Freeing, in.At+p.PollUrgent)
	default:
		return false
	}
	return true
}

// cooling tells whether memory of the last victim may still be on its way. Below
// the min watermark nobody can wait for it.
func (st *State) cooling(now time.Duration) bool {
	return now < st.coolEnd && st.verdict.Facts.Mark != pressure.BelowMin
}

// cameBack tells whether a quarter of what the last kill was to give back has
// come: the rest others may have taken by now.
func (st *State) cameBack() bool {
	return st.available >= st.flight.AvailableBefore+st.flight.Gain/4
}

// hold makes no kill now and says why.
func (st *State) hold(note Note, until time.Duration) {
	st.out.Note = note
	st.wait(until)
}

// staleAfter is how old a verdict may be when the processes have been listed. An
// older one comes from before a stop of the daemon, or of the whole machine.
const staleAfter = time.Second

// stale tells, once in a row, that the verdict is from another time: the first
// act after a stop is to look, not to shoot.
func (st *State) stale(now time.Duration) bool {
	st.relooked = now-st.verdictAt > staleAfter && !st.relooked
	return st.relooked
}
