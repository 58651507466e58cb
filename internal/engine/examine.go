package engine

import "time"

// A victim that is slow is looked at, to know what keeps it. The wait is for its
// end all the same; only one that is stuck and holds nothing ends it sooner.

// The pauses between two looks at a victim: an eighth of its time, or so long
// where it has all the time there is.
const (
	examineParts   = 8
	leastExamine   = 50 * time.Millisecond
	examineForEver = time.Second
)

// examinePause is how long a victim has until the first look, and between two.
func (p *Policy) examinePause() time.Duration {
	if p.KillTimeout == 0 {
		return examineForEver
	}
	return max(p.KillTimeout/examineParts, leastExamine)
}

// attend waits for the victim's end, until it is overdue or wants a look.
func (st *State) attend() {
	until := st.examineAt
	if st.deadline > 0 && st.deadline < until {
		until = st.deadline
	}
	st.do(Action{Do: Wait, Until: until})
}

// examine asks for a look at the victim; the answer comes when it may.
func (st *State) examine(p *Policy, now time.Duration) {
	st.examineAt = now + p.examinePause()
	st.do(Action{Do: Examine})
	st.attend()
}

// examined notes what keeps the victim. One that shows the same lasting hold in
// two looks, and whose memory is back, is not waited for any longer.
func (st *State) examined(p *Policy, in *Input) {
	if st.phase != dying {
		return
	}
	before := st.flight.Holds
	st.flight.Holds = in.Holds | before&Shared // which no later look shows
	st.lasting = before & in.Holds & Lasting
	if st.lasting != 0 && st.memoryBack(in) {
		st.abandon(p, in, KillStuck)
	}
}

// memoryBack tells that the victim, alone, has given its memory back: while it is
// there that is proven by process_mrelease, or by the end of its last thread,
// unless somebody else has the memory, too.
func (st *State) memoryBack(in *Input) bool {
	f := &st.flight
	return f.Members == 0 && (f.Reaped && f.ReapErrno == 0 || in.Ended && f.Holds&Shared == 0)
}

// abandon gives the victim up: it is not chosen again, and the next may be.
func (st *State) abandon(p *Policy, in *Input, note Note) {
	f := &st.flight
	f.TimedOut = note == KillTimeout
	id := f.Victim.Identity()
	st.shun.Add(id)
	if st.lasting != 0 {
		st.departing.writeOff(id, in.At)
	}
	st.out.Note, st.out.Outcome = note, f
	st.do(Action{Do: Abandon})
	st.again(p, in)
}
