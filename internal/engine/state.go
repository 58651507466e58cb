package engine

import (
	"time"

	"github.com/lmkd/lmkd/pkg/pressure"
	"github.com/lmkd/lmkd/pkg/victim"
)

// phase is where in the straight line a domain stands.
type phase uint8

const (
	resting   phase = iota // nothing of ours runs
	watching               // between two looks
	sampling               // a sample was asked for
	listing                // processes were asked for
	signaling              // a signal was asked for
	terming                // SIGTERM is sent, the pidfd is not ready
	dying                  // SIGKILL is sent, the pidfd is not ready
)

// State is what a domain remembers. The zero value is ready for Started.
type State struct {
	phase  phase
	judge  pressure.State
	stalls stallMeter

	// Invariant: phase is terming or dying from a successful Signalled to Exited
	// or the deadline, and only then is flight about a living process.
	flight    Outcome
	deadline  time.Duration // of the last Wait; 0 when resting
	softEnd   time.Duration // when a victim that was asked to go is killed
	lasting   Hold          // what kept it in the last two looks alike
	examineAt time.Duration // when a victim that is dying wants a look
	coolEnd   time.Duration // until when memory of the last victim may still come back, 0 for no more
	departing departures
	pace      pace

	filling    bool           // page faults woke, and brought memory to where it is
	event      pressure.Level // loudest event since the last sample
	wokenAt    time.Duration  // first wake of this episode
	windowEnd  time.Duration  // until when the fixed pauses hold
	polled     pressure.Level // the event that opened that window
	urgent     bool           // a kill was made in this window
	marksAt    time.Duration  // when the watermarks were last asked for
	marksKnown bool
	marksAsked bool           // the sample under way brings new ones
	before     pressure.State // the judge before the last judgement, until a recheck
	rechecked  bool           // the first verdict was judged with new marks
	nobodies   int            // looks in a row that acted and found nobody
	lowered    int            // nobodies when the bar was last said to be lowered
	verdict    pressure.Verdict
	verdictAt  time.Duration
	available  uint64 // at the last sample, bytes
	total      uint64 // MemTotal
	shmem      uint64 // Shmem
	oomKills   uint64
	oomKnown   bool
	surveyed   bool  // the last Survey is of this episode
	parent     int32 // of the last young victims of this episode
	orphans    int   // how many those are
	relooked   bool  // the last listing was dropped for a stale verdict
	asked      bool  // the sample under way is about a victim that had SIGTERM
	unmeasured bool  // an outcome waits for the first sample after its exit
	kills      uint64
	shun       victim.Shunned
	query      victim.Query // of the last List
	levels     levels
	level      pressure.Level // after the last Step
	relief     relief

	ranking victim.Ranking
	actions [4]Action
	out     Output
}

// NewState makes a state whose rankings hold up to candidates places without
// allocating.
func NewState(candidates int) *State {
	return &State{ranking: victim.Ranking{Places: make([]victim.Place, 0, candidates)}}
}

// do appends an action to the output of this Step.
func (st *State) do(a Action) {
	st.out.Actions = append(st.out.Actions, a)
}

// look asks for a sample, with the watermarks when they are old or unknown.
func (st *State) look(p *Policy, now time.Duration) {
	stale := !st.marksKnown || now-st.marksAt >= p.WatermarkRefresh
	if stale {
		st.marksKnown, st.marksAt = true, now
	}
	st.marksAsked = stale
	st.phase = sampling
	st.do(Action{Do: Sample, Watermarks: stale})
}

// wait returns to watching until the given time.
func (st *State) wait(until time.Duration) {
	st.phase, st.deadline = watching, until
	st.do(Action{Do: Wait, Until: until})
}

// rest leaves it to the kernel to speak; reclaim events before notBefore need not.
// While a level holds, it is looked at once more when that may fall.
func (st *State) rest(now, notBefore time.Duration, room uint64) {
	st.levels.see(pressure.LevelNone, now)
	st.phase, st.deadline, st.wokenAt, st.urgent = resting, st.levels.falls(), 0, false
	st.do(Action{Do: Rest, Until: notBefore, Room: room, Again: st.deadline})
}

// Ranking gives the memory of the last ranking, so that a rehearsal can touch it.
func (st *State) Ranking() *victim.Ranking { return &st.ranking }
