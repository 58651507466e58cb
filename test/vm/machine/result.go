package machine

import (
	"fmt"
	"time"

	"github.com/lmkd/lmkd/test/vm/wire"
)

// Verdict is the one word on a run.
type Verdict int

// The verdicts. Only Exited says anything about the job's own success.
const (
	Exited     Verdict = iota // the job ended by itself; its code counts
	KernelOOM                 // it ended, but the machine ran out of memory and the kernel had to kill
	Panicked                  // the guest's kernel panicked
	BootFailed                // the guest never came to run the job
	WallLimit                 // the job was still running at the limit
	Vanished                  // the machine ended without a word about the job
)

// Result is all that is known of a run.
type Result struct {
	Verdict Verdict
	Ready   *wire.Ready // nil when the guest never spoke
	End     *wire.End   // nil when it did not come to the end
	Files   []string    // result files written below OutDir
	Console []string    // the console's last lines
	Detail  string      // what QEMU or the guest said about a failure
	Took    time.Duration
	Booted  time.Duration // from the start of QEMU to the guest's first word
}

// judge finds the verdict from what was collected.
func (r *Result) judge(c *collector, late lateness) {
	switch {
	case c.panicked:
		r.Verdict = Panicked
	case c.failed != "":
		r.Verdict, r.Detail = BootFailed, c.failed
	case r.End != nil && r.End.Failed != "":
		r.Verdict, r.Detail = BootFailed, r.End.Failed
	case r.Ready == nil:
		r.Verdict = BootFailed
	case r.End != nil && r.End.Machine() > 0:
		r.Verdict = KernelOOM
	case r.End != nil:
		r.Verdict = Exited
	case late != inTime:
		r.Verdict = WallLimit
	default:
		r.Verdict = Vanished
	}
}

// Sentence says the verdict in words, without a full stop.
func (r *Result) Sentence() string {
	switch r.Verdict {
	case Exited:
		return "the job " + ended(r.End)
	case KernelOOM:
		return fmt.Sprintf("the kernel's OOM killer killed %d (oom_kill in /proc/vmstat), then the job %s", r.End.Machine(), ended(r.End))
	case Panicked:
		return "the guest's kernel panicked"
	case BootFailed:
		if r.Detail == "" {
			return fmt.Sprintf("the guest did not come to run the job in %.1f s", r.Took.Seconds())
		}
		return "the guest did not come to run the job: " + r.Detail
	case WallLimit:
		return fmt.Sprintf("the job was still running after %.1f s, the wall limit", r.Took.Seconds())
	default:
		return "the machine ended without a word about the job"
	}
}

func ended(e *wire.End) string {
	if e.Signal != 0 {
		return fmt.Sprintf("was ended by signal %d", e.Signal)
	}
	return fmt.Sprintf("exited with %d", e.Code)
}
