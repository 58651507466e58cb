package engine

import (
	"time"

	"github.com/lmkd/lmkd/pkg/pressure"
	"github.com/lmkd/lmkd/pkg/victim"
)

// Step takes one input into st and returns what to do. The output is valid
// until the next Step on the same state.
func Step(p *Policy, st *State, in *Input) *Output {
	st.out = Output{Actions: st.actions[:0]}
	switch in.Kind {
	case Started:
		st.look(p, in.At)
	case Woken:
		st.woken(p, in)
	case Elapsed:
		st.elapsed(p, in)
	case Sampled:
		st.sampled(p, in)
	case Listed:
		st.listed(p, in)
	case Signalled:
		st.signalled(p, in)
	case Reaped:
		st.reaped(in)
	case Exited:
		st.exited(p, in)
	case Adopted:
		st.adopted(p, in)
	case Examined:
		st.examined(p, in)
	case Relieved:
		st.relieved(p, in)
	}
	st.tell()
	return &st.out
}

// woken notes the event and looks, unless a victim is dying: then its death is
// the next thing to wait for, and the look comes with it. A stall of that time
// is what the victim dies for, and no reason for another death.
func (st *State) woken(p *Policy, in *Input) {
	if st.phase == dying || st.phase == terming {
		return
	}
	st.event = max(st.event, in.Event)
	if st.wokenAt == 0 {
		st.wokenAt = in.At
	}
	st.filling = in.Source&FromFaults != 0
	st.open(p, in)
	if st.phase == resting || st.phase == watching {
		st.look(p, in.At)
	}
}

// elapsed is a look that is due, or a victim that took too long.
func (st *State) elapsed(p *Policy, in *Input) {
	switch st.phase {
	case resting:
		if st.deadline > 0 && in.At >= st.deadline {
			st.look(p, in.At)
		}
	case watching:
		st.look(p, in.At)
	case terming:
		st.look(p, in.At)
		st.asked = true
	case dying:
		switch {
		case st.deadline > 0 && in.At >= st.deadline:
			st.abandon(p, in, KillTimeout)
		case in.At >= st.examineAt:
			st.examine(p, in.At)
		default:
			st.attend()
		}
	}
}

// sampled judges, and asks for the processes when the verdict acts.
func (st *State) sampled(p *Policy, in *Input) {
	if in.Errno != 0 {
		st.blind(p, in.At)
		return
	}
	st.measure(p, in)
	if p.Untriggered {
		if level := st.stalls.level(p, in.Sample); level != pressure.LevelNone {
			st.event = max(st.event, level)
			st.open(p, &Input{At: in.At, Source: FromPSI, Event: level})
		}
	}
	st.judgement(p, in)
	if st.asked {
		st.asked = false
		st.grade(p, in.At)
		st.lookAtDying(p, in)
		return
	}
	if st.verdict.Act {
		if st.recheck(p, in) {
			return
		}
		st.lower()
		st.grade(p, in.At)
		if st.patient(p, in) {
			return
		}
		st.phase = listing
		st.ask(in.Sample)
		return
	}
	st.relooked, st.nobodies, st.lowered, st.relief.patience = false, 0, 0, 0
	st.survey(p)
	st.pause(p, in)
	st.grade(p, in.At)
}

// blind waits until memory can be read again. Without sight a victim gets no
// more patience.
func (st *State) blind(p *Policy, now time.Duration) {
	st.out.Note = Blind
	if !st.asked {
		st.wait(now + p.Poll)
		return
	}
	st.asked, st.phase = false, signaling
	st.do(Action{Do: Escalate})
}

// measure takes from a sample what the engine itself remembers.
func (st *State) measure(p *Policy, in *Input) {
	m := &in.Sample.Memory
	st.available, st.total, st.shmem = m.Available+m.ReclaimableElsewhere, m.Total, m.Shmem
	if st.unmeasured {
		st.flight.AvailableAfter = st.available
		st.unmeasured = false
		st.out.Note, st.out.Outcome = KillDone, &st.flight
		st.coolEnd = st.flight.ExitedAt + p.CoolDown
	}
	if st.cameBack() {
		st.coolEnd = 0
	}
	kills := in.Sample.Counters.OOMKill
	switch {
	case st.oomKnown && kills > st.oomKills && st.out.Note != NoNote:
		return // told with the next sample, which follows a kill soon
	case st.oomKnown && kills > st.oomKills:
		st.out.Note = KernelKill
	}
	st.oomKills, st.oomKnown = kills, true
}

// listed ranks the candidates and asks for the death of the first.
func (st *State) listed(p *Policy, in *Input) {
	if st.stale(in.At) {
		st.look(p, in.At)
		return
	}
	p.Victim.Rank(&st.query, in.Candidates, &st.ranking)
	st.out.Ranking = &st.ranking
	index, ok := st.ranking.Winner()
	if st.unsettled(p, in, st.gain()) {
		return
	}
	if !ok {
		st.nobodies = min(st.nobodies+1, len(bars))
		st.hold(Nobody, in.At+p.PollSlow)
		return
	}
	if st.heldByFiles(in.Candidates, st.ranking.Places[0].Gain) {
		st.hold(Held, in.At+p.PollSlow)
		return
	}
	if until := st.pace.until(p.MaxKills, p.KillWindow, in.At); until > 0 {
		st.hold(Ceiling, min(until, in.At+p.PollSlow))
		return
	}
	st.kills++
	st.rechecked, st.nobodies, st.lowered = true, 0, 0
	st.pace.note(in.At)
	st.flight = Outcome{
		ID: st.kills, Victim: in.Candidates[index], Verdict: st.verdict, Gain: st.ranking.Places[0].Gain,
		WokenAt: st.wokenAt, VerdictAt: st.verdictAt, ChosenAt: in.At, AvailableBefore: st.available,
		Soft: p.patience(&in.Candidates[index]) > 0 && in.Candidates[index].Dies() == victim.AsProcess,
	}
	st.mourn(&st.flight.Victim)
	st.flight.Victim.Detach()
	st.phase = signaling
	st.do(Action{Do: Kill, Index: index, Soft: st.flight.Soft, Tree: st.flight.Victim.Dies() != victim.AsProcess})
}

// signalled starts the wait for the victim's death, or looks again at once when
// the signal did not reach it.
func (st *State) signalled(p *Policy, in *Input) {
	st.flight.SignalledAt, st.flight.SignalErrno, st.flight.SignalTook = in.At, in.Errno, in.Took
	st.flight.Members, st.flight.Holds = max(st.flight.Members, in.Members), st.flight.Holds|in.Holds
	st.flight.Spared = max(st.flight.Spared, in.Spared)
	if in.Errno != 0 {
		st.out.Note, st.out.Outcome = KillFailed, &st.flight
		st.shun.Add(st.flight.Victim.Identity())
		if st.softEnd != 0 {
			st.softEnd = 0
			st.do(Action{Do: Abandon})
		}
		st.wait(in.At + p.PollUrgent)
		return
	}
	if st.softEnd == 0 {
		st.judge.Killed(&p.Pressure, &st.flight.Verdict)
	}
	if st.flight.Soft && st.softEnd == 0 {
		st.terminate(p, in.At)
		return
	}
	st.await(p, in.At)
}

// adopted takes over the wait for a victim that an earlier run killed.
func (st *State) adopted(p *Policy, in *Input) {
	st.kills++
	st.flight = Outcome{ID: st.kills, Victim: in.Candidates[0], SignalledAt: in.At, Adopted: true, Verdict: pressure.Verdict{Reason: pressure.None}}
	st.flight.Victim.Detach()
	st.await(p, in.At)
}

// await starts the wait for the end of a victim that SIGKILL was sent to.
func (st *State) await(p *Policy, now time.Duration) {
	st.phase, st.deadline, st.softEnd = dying, 0, 0
	if p.KillTimeout > 0 {
		st.deadline = now + p.KillTimeout
	}
	st.examineAt, st.lasting = now+p.examinePause(), 0
	st.attend()
}

func (st *State) reaped(in *Input) {
	st.flight.Reaped = true
	st.flight.Holds |= in.Holds
	st.flight.ReapedAt, st.flight.ReapErrno, st.flight.ReapTook = in.At, in.Errno, in.Took
}

// exited ends the wait: memory is looked at again, at once.
func (st *State) exited(p *Policy, in *Input) {
	if st.phase != dying && st.phase != terming {
		return
	}
	st.softEnd = 0
	st.flight.ExitedAt = in.At
	st.unmeasured = true
	st.again(p, in)
}

// again opens a fresh window after a kill.
func (st *State) again(p *Policy, in *Input) {
	st.windowEnd = in.At + p.Window
	st.urgent = true
	st.look(p, in.At)
}

// pause decides when to look next, or that the kernel will say.
func (st *State) pause(p *Policy, in *Input) {
	f := &st.verdict.Facts
	if st.filling && f.Available < 2*f.Floor {
		st.windowEnd = max(st.windowEnd, in.At+p.Poll) // a rate of fall is known after some looks
	}
	st.filling = false
	switch {
	case f.Direct && p.FillRate == 0 && !p.older():
		st.windowEnd = in.At + p.Window // Android: direct reclaim extends the window
		fallthrough
	case in.At < st.windowEnd:
		st.wait(in.At + min(st.poll(p), st.distance(p, in.Sample)))
	case p.Sampling || p.FillRate > 0 && (f.Kswapd || f.Direct):
		st.urgent = false
		st.wait(in.At + st.distance(p, in.Sample))
	default:
		st.rest(in.At, in.At+st.quiet(p, in.Sample), st.room(p))
	}
}

// poll is the fixed pause of a window. After a kill Android looks quickly once
// and by its verdict from then on; elsewhere the whole window is quick.
func (st *State) poll(p *Policy) time.Duration {
	quick := st.verdict.Facts.SwapLow || st.urgent || p.older()
	if p.FillRate == 0 {
		st.urgent = false
	}
	if quick {
		return p.PollUrgent
	}
	return p.Poll
}

// quiet is how long reclaim events need not wake a domain that rests: memory
// can not be exhausted before. Android looks again no sooner than a poll.
func (st *State) quiet(p *Policy, s *pressure.Sample) time.Duration {
	if p.FillRate == 0 {
		return p.Poll
	}
	return st.distance(p, s)
}

// distance is the least time in which memory and swap can be filled down to the
// floor, between PollUrgent and PollSlow: at the rate that is expected, or at
// twice the measured one, for what falls faster than expected may yet speed up.
func (st *State) distance(p *Policy, s *pressure.Sample) time.Duration {
	if p.FillRate == 0 {
		return p.PollSlow
	}
	f := &st.verdict.Facts
	left := f.Available - min(f.Available, p.Pressure.Floor(s)) + f.SwapFree
	pause := time.Duration(left/(max(p.FillRate, 2*f.Fall)/1000+1)) * time.Millisecond
	return max(p.PollUrgent, min(pause, p.PollSlow))
}

// stride is the least that page faults may bring before they wake.
const stride = 1 << 20

// room is how much page faults may bring before memory must be looked at: nearly
// the distance to twice the floor, where exhaustion may be seen ahead, or from
// there the distance to the floor. What is freed meanwhile makes a wake early,
// and the next has less room: a machine at rest has none. Android counts no
// faults.
func (st *State) room(p *Policy) uint64 {
	f := &st.verdict.Facts
	if p.FillRate == 0 || f.Floor == 0 {
		return 0
	}
	left := f.Available + f.SwapFree
	left -= min(left, f.Floor)
	if left > f.Floor {
		left -= f.Floor
	}
	return max(left-left/8, f.Floor/16, stride)
}
