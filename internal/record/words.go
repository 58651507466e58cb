package record

import (
	"fmt"
	"strconv"
	"time"

	"github.com/lmkd/lmkd/internal/engine"
	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/victim"
)

// named gives a process as lines name it: 'leak' (1234).
func named(p *victim.Process) string {
	return victim.Quote(p.Comm[:min(int(p.CommLen), len(p.Comm))]) + " (" + strconv.Itoa(int(p.PID)) + ")"
}

// answered says how a system call went: "signal ok in 41µs".
func answered(call string, errno int32, took time.Duration) string {
	return call + " " + sys.ErrnoName(sys.Errno(errno)) + " in " + short(took)
}

// short rounds a duration to what a person reads.
func short(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return d.Round(time.Microsecond).String()
	case d < time.Second:
		return d.Round(100 * time.Microsecond).String()
	}
	return d.Round(time.Millisecond).String()
}

// size writes bytes as a person does.
func size(v uint64) string {
	switch {
	case v < 1<<10:
		return fmt.Sprintf("%dB", v)
	case v < 1<<20:
		return fmt.Sprintf("%.1fKiB", float64(v)/(1<<10))
	case v < 1000<<20:
		return fmt.Sprintf("%.1fMiB", float64(v)/(1<<20))
	}
	return fmt.Sprintf("%.1fGiB", float64(v)/(1<<30))
}

// change says by how much there is more or less.
func change(v int64) string {
	if v < 0 {
		return size(uint64(-v)) + " less"
	}
	return size(uint64(v)) + " more"
}

// steps tells each step of a kill with its answer and its time.
func steps(o *engine.Outcome) string {
	text := answered("signal", o.SignalErrno, o.SignalTook)
	if o.Reaped {
		text += ", " + answered("process_mrelease", o.ReapErrno, o.ReapTook)
		if o.ReapErrno == 0 {
			text += " (memory back " + short(o.ReapedAt-o.SignalledAt) + " after the signal)"
		}
	}
	text += ", verdict to signal " + short(o.SignalledAt-o.VerdictAt)
	if o.WokenAt > 0 {
		text += ", first wake to signal " + short(o.SignalledAt-o.WokenAt)
	}
	return text
}

// ending is an outcome in one sentence, by its note.
func ending(note engine.Note, o *engine.Outcome) string {
	who := named(&o.Victim)
	if o.Adopted {
		return adopted(note, o)
	}
	switch note {
	case engine.KillFailed:
		if o.Holds&engine.Shared != 0 {
			return "No kill of " + who + ": a protected process shares its memory, which would stay; it is left out from now on"
		}
		return "Kill of " + who + " failed: " + answered("signal", o.SignalErrno, o.SignalTook) + "; it is left out from now on"
	case engine.KillTimeout:
		return "Kill of " + who + ": not gone in time" + kept(o) + "; " + steps(o) + "; it is left out, and the next may be chosen"
	case engine.KillStuck:
		return "Kill of " + who + ": its memory is back, and it is stuck" + kept(o) + "; " + steps(o) + "; it is left out, and the next may be chosen"
	case engine.KillDone:
		return "Killed " + who + others(o) + ": exited " + short(o.ExitedAt-o.SignalledAt) + " after the signal, " + change(o.Freed()) +
			" available (" + size(o.AvailableBefore) + ", now " + size(o.AvailableAfter) + "); " + steps(o)
	}
	return ""
}

// others says who died with a victim, and who would have.
func others(o *engine.Outcome) string {
	text := ""
	switch {
	case o.Members > 0 && o.Holds&engine.Shared != 0:
		text = fmt.Sprintf(" and %d with the same memory", o.Members)
	case o.Members > 0:
		text = fmt.Sprintf(" and %d with it", o.Members)
	case o.Holds&engine.Shared != 0:
		text = " (another process has the same memory, and keeps it)"
	}
	if o.Spared > 0 {
		text += fmt.Sprintf(", sparing %d who are protected", o.Spared)
	}
	return text
}

// kept says what keeps a victim, as far as it is known.
func kept(o *engine.Outcome) string {
	if o.Holds == 0 {
		return ""
	}
	return " (" + o.Holds.String() + ")"
}

// adopted is the outcome of a kill that an earlier run began: what came before
// the wait is not known.
func adopted(note engine.Note, o *engine.Outcome) string {
	if note != engine.KillDone {
		return named(&o.Victim) + ", killed by an earlier run, is not gone in time" + kept(o) + "; it is left out, and the next may be chosen"
	}
	return named(&o.Victim) + ", killed by an earlier run, is gone"
}

// refusals counts whom a scan refused, by reason.
func refusals(l *engine.Listing) string {
	text := fmt.Sprintf("%d processes seen", l.Seen)
	for i, n := range l.Refused {
		if n > 0 && i <= int(victim.IsUnregistered) {
			text += fmt.Sprintf(", %d refused: %s", n, victim.Exclusion(i))
		}
	}
	return text
}

// waits says for whose memory no kill is made yet.
func waits(e *Entry) string {
	if e.Out.Note == engine.Cooling {
		return "No kill yet: memory of the last victim is still on its way; reason: "
	}
	who := ""
	for i := range e.In.Candidates {
		if p := &e.In.Candidates[i]; p.Is(victim.Dying) && p.RssAnon > 0 && len(who) < 200 {
			who += " " + named(p) + " " + size(p.RssAnon) + ","
		}
	}
	return "No kill yet: what is dying already gives back enough:" + who + " reason: "
}
