package kill

import "time"

// Fate is what became of a victim by the end of a kill.
type Fate uint8

// The fates.
const (
	// Alive: no signal reached it, or a gentle one that it has not followed.
	Alive Fate = iota
	// Gone: its pidfd is ready, every thread has ended.
	Gone
	// DyingBack: it is dying still, and its memory is free.
	DyingBack
	// DyingHeld: it is dying, and still holds its memory.
	DyingHeld
	// Stuck: it is dying, and something that may last for ever keeps it: see
	// Condition.Holds. Whether its memory is free is in Outcome.MemoryBack.
	Stuck
)

var fateText = [...]string{"alive", "gone", "dying, memory back", "dying, memory held", "stuck"}

func (f Fate) String() string { return fateText[f] }

// MarshalText gives the words.
func (f Fate) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// Outcome is how one kill went, step by step.
type Outcome struct {
	PID       int
	StartTime uint64
	Fate      Fate
	// MemoryBack: what it held is free again, all but a sixteenth.
	MemoryBack bool

	Signal   Step // the first signal
	Escalate Step // the SIGKILL after a gentle one
	Reclaim  Reclaim
	Boost    Boost
	Wait     Step // from the last signal to the exit; ETIMEDOUT when it did not come

	Before       Memory // before the first signal
	AfterReclaim Memory
	AtEnd        Memory // at the exit, or when the wait was given up
	Reclaimed    Freed  // while the reclaim ran
	Freed        Freed  // from before the signal to the end

	Condition Condition // when not gone: what keeps it
	Twins     []Twin    // who shared its memory; closed
	Killed    []int     // those twins that were killed with it

	// Notes are what was refused on the way and did not stop the kill, a
	// sentence each.
	Notes []string
}

// Options are how a kill goes. The zero value sends SIGKILL and waits until ctx
// is done, nothing more; Expedited does all that can be done.
type Options struct {
	Signal   int           // 0 is SIGKILL
	Escalate time.Duration // how long a gentler signal has before SIGKILL follows; 0 is for ever
	Timeout  time.Duration // how long the end may take after the last signal; 0: until ctx is done

	Expedite bool // free the memory by process_mrelease(2) as soon as SIGKILL is sent
	Retry    Retry
	Thread   Thread
	Boost    bool // lift what slows the death, see Victim.Lift

	// KillTwin is asked about each process that shares the victim's memory,
	// whether it may be killed too; without it they are only reported. It is
	// never asked about pid 1 and the caller.
	KillTwin func(pid int) bool

	// StuckAfter ends the wait early for a victim whose memory is back and that
	// is seen stuck twice, this long apart; 0 never does.
	StuckAfter time.Duration

	// Large is the resident size in bytes from which a member of a group has
	// its memory taken back; smaller ones are quicker by themselves.
	Large uint64
}

// Expedited gives the options of a kill that is as fast as the kernel allows,
// and gives up after timeout.
func Expedited(timeout time.Duration) Options {
	return Options{
		Expedite: true, Retry: DefaultRetry, Thread: DefaultThread, Boost: true,
		Timeout: timeout, StuckAfter: 250 * time.Millisecond, Large: 16 << 20,
	}
}
