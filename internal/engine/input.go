package engine

import (
	"time"

	"github.com/lmkd/lmkd/pkg/pressure"
	"github.com/lmkd/lmkd/pkg/victim"
)

// Kind is what an input tells.
type Kind uint8

// The inputs. Each says which fields of Input it fills beside At and Kind.
const (
	Started   Kind = iota // the loop is up
	Woken                 // the kernel spoke: Source, Event
	Elapsed               // the deadline of the last Wait passed
	Sampled               // the Sample action's answer: Sample, Reclaim; Errno when memory could not be read
	Listed                // the List action's answer: Candidates, Listing
	Signalled             // the Kill action's answer: Errno 0 when SIGKILL was sent
	Reaped                // process_mrelease's answer: Errno, Took
	Exited                // the victim's pidfd is ready
	Adopted               // in place of Started: a kill of an earlier run is under way, of Candidates[0]
	Examined              // Examine's answer: Holds
	Relieved              // an act of a Relieve has ended: Act, Errno, Took, Members, Bytes
)

var kindText = [...]string{"started", "woken", "elapsed", "sampled", "listed", "signalled", "reaped", "exited", "adopted", "examined", "relieved"}

func (k Kind) String() string { return kindText[k] }

// Source is who woke the loop; several may at once.
type Source uint8

// The sources of wakes.
const (
	FromPSI        Source = 1 << iota // a PSI trigger
	FromKswapd                        // kswapd woke: free memory fell below low
	FromDirect                        // a task entered direct reclaim
	FromOOM                           // the kernel's own OOM killer marked a victim
	FromVmpressure                    // cgroup v1's memory.pressure_level
	FromFaults                        // page faults brought as much as the Rest allowed
)

// Listing counts what a scan saw.
type Listing struct {
	Seen     int           // processes
	Refused  [16]int       // of them refused in phase one, by victim.Exclusion
	Detailed int           // read in phase two
	Took     time.Duration // the scan's duration
}

// Input is one thing that happened. Pointers and slices are borrowed for the
// call.
type Input struct {
	At   time.Duration // CLOCK_MONOTONIC
	Kind Kind

	Source Source         // Woken
	Event  pressure.Level // Woken

	Sample  *pressure.Sample // Sampled
	Reclaim pressure.Reclaim // Sampled
	Targets pressure.Targets // Sampled: what a client asked for by LMK_TARGET

	Candidates []victim.Process // Listed
	Listing    Listing          // Listed

	Errno int32         // Sampled, Signalled, Reaped, Relieved: the kernel's error number, 0 is success
	Took  time.Duration // Signalled, Reaped, Relieved: the step's duration

	Members int  // Signalled: how many others were killed with it; Relieved: cgroups that the act reached
	Spared  int  // Signalled: how many would have died, too, and are protected
	Ended   bool // Examined: every thread has ended, and with them their memory
	Holds   Hold // Signalled, Reaped, Examined: what keeps the victim, or its memory

	Act   uint8  // Relieved: the act's place in the policy
	Bytes uint64 // Relieved: how much less its cgroups hold
}
