package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/exitwait"
	"github.com/lmkd/lmkd/pkg/kill"
)

// reapOptions are the flags of reap.
type reapOptions struct {
	json    bool
	reclaim reclaimOptions
}

func newReapCommand() *cobra.Command {
	var o reapOptions
	cmd := &cobra.Command{
		Use:   "reap [flags] PID|HANDLE",
		Short: "Take the memory of a dying process back, at once",
		Long: `Free the memory of a process that is dying already, in the time and at the
priority of this command (process_mrelease, Linux 5.15), and say how much came
back. Nothing is signalled: a process that is not dying is refused.

Exit codes: 0 freed, or nothing was left; 1 failed: not dying, shared with a
living process, dumping core; 2 wrong usage; 3 the address space stayed locked,
or the budget was spent; 77 not permitted.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd.OutOrStdout(), args[0]) },
	}
	cmd.Flags().BoolVar(&o.json, "json", false, "print one JSON object")
	o.reclaim.flags(cmd)
	return cmd
}

// reapJSON is the answer as a program reads it.
type reapJSON struct {
	PID     int        `json:"pid"`
	Reclaim *stepJSON  `json:"reclaim"`
	Freed   kill.Freed `json:"freed"`
	Error   string     `json:"error,omitempty"`
}

func (o *reapOptions) run(w io.Writer, name string) error {
	h, err := exitwait.ParseHandle(name)
	if err == nil {
		err = o.reclaim.check()
	}
	if err != nil {
		return exit(exitUsage, err)
	}
	p, err := exitwait.Reopen(h)
	if errors.Is(err, exitwait.ErrGone) {
		return (&killReport{w, o.json}).gone(name)
	}
	if err != nil {
		return exit(codeOf(err), err)
	}
	defer func() { _ = p.Close() }()
	return o.reap(w, p)
}

func (o *reapOptions) reap(w io.Writer, p *exitwait.Process) error {
	v, err := kill.Open(p)
	if err != nil {
		return reapVerdict(err)
	}
	defer func() { _ = v.Close() }()
	r, freed, err := v.ReapOn(kill.Thread{Nice: o.reclaim.nice, CPUs: o.reclaim.cpus}, o.reclaim.retry())
	if e := o.print(w, p.PID(), r, freed, err); e != nil {
		return exit(exitFailed, e)
	}
	if r.OK() {
		return nil // a thread without its priority is only told
	}
	return reapVerdict(err)
}

// reapVerdict turns the refusals of a reclaim into exit codes. ErrNotDying is
// an EPERM that no permission cures.
func reapVerdict(err error) error {
	switch {
	case err == nil, errors.Is(err, kill.ErrGone):
		return nil
	case errors.Is(err, kill.ErrBusy), errors.Is(err, kill.ErrOverdue):
		return exit(exitTimeout, err)
	case errors.Is(err, kill.ErrNotDying):
		return exit(exitFailed, err)
	}
	return exit(codeOf(err), err)
}

func (o *reapOptions) print(w io.Writer, pid int, r kill.Reclaim, freed kill.Freed, failed error) error {
	if o.json {
		return json.NewEncoder(w).Encode(reapJSON{pid, timedReclaim(r, r.Start), freed, text(failed)})
	}
	_, err := fmt.Fprintf(w, "%d: %s after %d attempts, %.3f ms, %s\n", pid, sys.ErrnoName(r.Errno), r.Attempts, ms(r.Took), freedLine(freed))
	return err
}
