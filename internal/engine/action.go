package engine

import (
	"time"

	"github.com/lmkd/lmkd/pkg/pressure"
	"github.com/lmkd/lmkd/pkg/victim"
)

// Do is what an action asks for.
type Do uint8

// The actions. Sample, List and Kill are answered by an input of their own
// before anything else is handed in; the deadline of a Wait holds until it
// passes or another Wait or a Rest replaces it. Each act of a Relieve is
// answered by Relieved when it ends, which may take its whole time.
const (
	Sample   Do = iota // read memory, and the watermarks too if Watermarks
	List               // read the processes for Query
	Survey             // note how large every process is; no input answers it
	Kill               // send the candidate at Index SIGKILL, or SIGTERM if Soft
	Escalate           // send the victim that had SIGTERM a SIGKILL
	Expedite           // take the memory of the dying candidate at Index back; no input answers it
	Examine            // look what keeps the victim; Examined answers when it may
	Abandon            // stop waiting for the victim
	Wait               // hand in Elapsed at Until, or before it what happens; Until 0 has no deadline
	Rest               // arm every source and wait for the kernel alone, or until Again
	Relieve            // begin the softer acts Acts
	Relent             // end them
)

var doText = [...]string{"sample", "list", "survey", "kill", "escalate", "expedite", "examine", "abandon", "wait", "rest", "relieve", "relent"}

func (d Do) String() string { return doText[d] }

// Action is one thing that the loop must do, in the order given.
type Action struct {
	Do         Do
	Watermarks bool          // Sample
	Query      victim.Query  // List
	Index      int           // Kill, Expedite: the place in the candidates
	Surveyed   bool          // List: the last Survey is of this episode
	Soft       bool          // Kill: ask with SIGTERM first
	Tree       bool          // Kill: and those who die with it: its descendants, or its cgroup
	Until      time.Duration // Wait: the deadline; Rest: before it no reclaim event need wake; CLOCK_MONOTONIC
	Acts       uint8         // Relieve, Relent: bit i stands for the policy's Relief i
	Room       uint64        // Rest: bytes that page faults may bring before they wake; 0 for no limit
	Again      time.Duration // Rest: hand in Elapsed then, for a level that may fall; 0 for never
}

// Note is a thing worth telling that is no action.
type Note uint8

// The notes of an Output.
const (
	NoNote      Note = iota
	Nobody           // a verdict acts, but nobody qualifies
	KillFailed       // the signal could not be sent: Outcome says why
	KillDone         // the victim's pidfd is ready: Outcome
	KillTimeout      // the victim's deadline passed: Outcome
	KernelKill       // the kernel's own OOM killer was quicker
	Blind            // memory could not be read
	Held             // memory is held by files on tmpfs: no kill would give enough back
	Ceiling          // too many kills of late: the next waits
	Lowered          // nobody qualified: more important processes may die than the verdict asked for
	KillStuck        // the victim is stuck and its memory is back: Outcome
	Freeing          // what is dying already will give back enough: nobody else is chosen yet
	Cooling          // the last victim is gone, its memory is not back yet: nobody else is chosen yet
	Relieving        // a kill waits for softer acts
)

var noteText = [...]string{"", "nobody", "kill_failed", "kill_done", "kill_timeout", "kernel_kill", "blind", "held", "ceiling", "lowered",
	"kill_stuck", "freeing", "cooling", "relieving"}

func (n Note) String() string { return noteText[n] }

// Output is what a Step decided and why. It points into the State and is valid
// until the next Step.
type Output struct {
	Actions []Action
	Verdict *pressure.Verdict // after Sampled
	Ranking *victim.Ranking   // after Listed
	Note    Note
	Outcome *Outcome // with KillFailed, KillDone, KillTimeout and KillStuck

	Level        pressure.Level // the domain's, after this step; none when it rests for good
	LevelChanged bool           // it is another one than after the step before
}

// Outcome is how one kill went. Times are CLOCK_MONOTONIC, 0 for what did not
// happen; error numbers are the kernel's.
type Outcome struct {
	ID      uint64 // counts kills since start, from 1
	Victim  victim.Process
	Verdict pressure.Verdict
	Gain    uint64 // bytes expected back

	WokenAt, VerdictAt, ChosenAt, SignalledAt, ReapedAt, ExitedAt time.Duration

	SignalErrno, ReapErrno int32
	SignalTook, ReapTook   time.Duration
	Reaped                 bool   // process_mrelease answered
	AvailableBefore        uint64 // at the verdict, bytes
	AvailableAfter         uint64 // at the first sample after the exit, bytes; 0 when none was taken
	TimedOut               bool
	Holds                  Hold // what keeps it, at the last look; Shared also when the reclaim found a living twin
	Soft                   bool // SIGTERM came first
	Adopted                bool // begun by an earlier run
	Members                int  // others that were killed with it
	Spared                 int  // others that would have died, too, and are protected
}

// Freed gives how much more memory was available after the kill than before,
// in bytes; others allocate and free meanwhile.
func (o *Outcome) Freed() int64 {
	if o.AvailableAfter == 0 {
		return 0
	}
	return int64(o.AvailableAfter) - int64(o.AvailableBefore)
}
