package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/exitwait"
	"github.com/lmkd/lmkd/pkg/kill"
)

// killOptions are the flags of kill.
type killOptions struct {
	cgroup   string
	tree     bool
	expedite bool
	boost    bool
	twins    bool
	signal   string
	escalate seconds
	timeout  seconds
	json     bool
	reclaim  reclaimOptions
}

// reclaimOptions are the flags of a reclaim: how often, how long, in what
// thread.
type reclaimOptions struct {
	attempts      int
	pause, budget seconds
	nice          int
	cpus          []int
}

func newKillCommand() *cobra.Command {
	var o killOptions
	cmd := &cobra.Command{
		Use:   "kill [flags] PID|HANDLE… | --cgroup PATH",
		Short: "Kill as the daemon does, and say how each step went",
		Long: `Kill processes the way the daemon kills: through a pidfd that was compared with
the process, so that no signal reaches a stranger; with --expedite the memory
comes back at once (process_mrelease), in a thread of high priority, and what
slows the death is lifted; then wait until it is gone. Every step is printed.

A HANDLE, as lmkd wait --print-handle writes it, names one process for ever.
Pid 1, this process and its ancestors are refused.

Exit codes: 0 gone (or gone before), 1 failed, 2 wrong usage, 3 not gone in time,
77 not permitted.`,
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), cmd.OutOrStdout(), args) },
	}
	f := cmd.Flags()
	f.StringVar(&o.cgroup, "cgroup", "", "kill every process of the cgroup at `path`, and below it")
	f.BoolVar(&o.tree, "tree", false, "kill the descendants, too")
	f.BoolVar(&o.expedite, "expedite", false, "take the memory back at once, and boost; for SIGKILL alone")
	f.BoolVar(&o.boost, "boost", false, "lift only what slows the death: class, processors, v1 freezer, CPU quota")
	f.BoolVar(&o.twins, "twins", false, "kill those, too, that share the memory and would keep it")
	f.StringVarP(&o.signal, "signal", "s", "KILL", "the `signal`, a name or a number")
	f.Var(&o.escalate, "escalate", "send SIGKILL when a gentler signal has not ended it after this `time`")
	f.VarP(&o.timeout, "timeout", "t", "give up waiting after this `time`; 0 never does")
	f.BoolVar(&o.json, "json", false, "print one JSON object per process or group")
	o.timeout = seconds(10 * time.Second)
	o.reclaim.flags(cmd)
	return cmd
}

// flags defines the flags of a reclaim.
func (r *reclaimOptions) flags(cmd *cobra.Command) {
	d := kill.DefaultRetry
	r.pause, r.budget = seconds(d.Pause), seconds(d.Budget)
	f := cmd.Flags()
	f.IntVar(&r.attempts, "attempts", d.Attempts, "reclaim attempts while the address space is locked")
	f.Var(&r.pause, "pause", "`time` between two attempts")
	f.Var(&r.budget, "budget", "how long a reclaim may take: no attempt begins, and nobody waits, after this `time`")
	f.IntVar(&r.nice, "nice", kill.ReaperNice, "nice value of the reclaiming thread")
	f.IntSliceVar(&r.cpus, "cpus", nil, "`processors` that the reclaiming thread may use")
}

func (r *reclaimOptions) retry() kill.Retry {
	return kill.Retry{Attempts: r.attempts, Pause: time.Duration(r.pause), Budget: time.Duration(r.budget)}
}

func (r *reclaimOptions) check() error {
	if r.nice < -20 || r.nice > 19 || r.attempts < 1 {
		return errors.New("--nice is -20 to 19, --attempts at least 1")
	}
	for _, cpu := range r.cpus {
		if cpu < 0 || cpu > 1023 {
			return fmt.Errorf("no processor has the number %d", cpu)
		}
	}
	return nil
}

// options turns flags into the pipeline's.
func (o *killOptions) options() (kill.Options, error) {
	sig, err := parseSignal(o.signal)
	if err == nil {
		err = o.reclaim.check()
	}
	gentle := sig != sys.SIGKILL
	switch {
	case err != nil:
	case gentle && o.escalate == 0 && (o.expedite || o.boost):
		err = errors.New("--expedite and --boost are for SIGKILL alone: give --escalate, or no --signal")
	case gentle && (o.cgroup != "" || o.tree):
		err = errors.New("--cgroup and --tree take SIGKILL alone")
	}
	out := kill.Expedited(time.Duration(o.timeout))
	out.Signal, out.Escalate = sig, time.Duration(o.escalate)
	out.Expedite, out.Boost = o.expedite, o.expedite || o.boost
	out.Retry, out.Thread = o.reclaim.retry(), kill.Thread{Nice: o.reclaim.nice, CPUs: o.reclaim.cpus}
	if o.twins {
		out.KillTwin = func(pid int) bool { return !ancestor(pid) }
	}
	return out, err
}

// parseSignal reads "KILL", "SIGKILL" or "9".
func parseSignal(text string) (int, error) {
	sig, err := strconv.Atoi(text)
	if err != nil {
		sig = sys.SignalNumber(strings.ToUpper(text))
	}
	if sig < 1 || sig > 64 {
		return 0, fmt.Errorf("no such signal: %q", text)
	}
	return sig, nil
}

func (o *killOptions) run(ctx context.Context, w io.Writer, args []string) error {
	opts, err := o.options()
	if err == nil && (o.cgroup == "") == (len(args) == 0) {
		err = errors.New("give processes, or --cgroup")
	}
	if err != nil {
		return exit(exitUsage, err)
	}
	say := &killReport{w: w, json: o.json}
	if o.cgroup != "" {
		if err := refuseOwnGroup(o.cgroup); err != nil {
			return exit(exitUsage, err)
		}
		out, err := kill.KillGroup(ctx, o.cgroup, opts)
		return killVerdict(out.Fate, errors.Join(err, say.group(o.cgroup, out, err)))
	}
	targets, err := openTargets(args)
	if err != nil {
		return err
	}
	defer closeTargets(targets)
	return o.killAll(ctx, say, targets, opts)
}

// target is a process that was named.
type target struct {
	name string
	p    *exitwait.Process // nil when it is gone
}

// openTargets opens all before the first is killed.
func openTargets(args []string) (targets []target, err error) {
	defer func() {
		if err != nil {
			closeTargets(targets)
		}
	}()
	for _, arg := range args {
		h, err := exitwait.ParseHandle(arg)
		if err != nil {
			return targets, exit(exitUsage, err)
		}
		if ancestor(h.PID) {
			return targets, exit(exitUsage, fmt.Errorf("kill %d: pid 1, this process and its ancestors are not killed", h.PID))
		}
		p, err := exitwait.Reopen(h)
		if err != nil && !errors.Is(err, exitwait.ErrGone) {
			return targets, exit(codeOf(err), err)
		}
		targets = append(targets, target{arg, p})
	}
	return targets, nil
}

func closeTargets(targets []target) {
	for _, t := range targets {
		if t.p != nil {
			_ = t.p.Close()
		}
	}
}

// killAll kills one after the other; the worst answer is the command's.
func (o *killOptions) killAll(ctx context.Context, say *killReport, targets []target, opts kill.Options) error {
	var worst error
	for _, t := range targets {
		err := o.killOne(ctx, say, t, opts)
		if worst == nil || err != nil && rank(err) > rank(worst) {
			worst = err
		}
	}
	return worst
}

func (o *killOptions) killOne(ctx context.Context, say *killReport, t target, opts kill.Options) error {
	if t.p == nil {
		return say.gone(t.name)
	}
	if o.tree {
		out, err := kill.KillTree(ctx, t.p, opts)
		return killVerdict(out.Fate, errors.Join(err, say.group(t.name, out, err)))
	}
	out, err := kill.Kill(ctx, t.p, opts)
	return killVerdict(out.Fate, errors.Join(err, say.process(out, err)))
}

// killVerdict is the command's answer: nil, an error with its code, or a time that
// has passed and was printed.
func killVerdict(fate kill.Fate, err error) error {
	switch {
	case err != nil:
		return exit(codeOf(err), err)
	case fate != kill.Gone:
		return exit(exitTimeout, nil)
	}
	return nil
}

// rank orders answers from good to bad.
func rank(err error) int {
	var e *exitError
	if !errors.As(err, &e) {
		return 0
	}
	for i, code := range []int{exitDone, exitTimeout, exitFailed, exitPermitted, exitUsage} {
		if e.code == code {
			return i
		}
	}
	return 0
}

// ancestor reports whether pid is 1, this process, or one that it hangs on.
func ancestor(pid int) bool {
	for at := os.Getpid(); at > 1; at = parent(at) {
		if at == pid {
			return true
		}
	}
	return pid == 1
}

// parent gives the parent of pid, 0 when there is none to be seen.
func parent(pid int) int {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	if i := strings.LastIndex(string(text), ") "); i >= 0 {
		rest = string(text[i+2:])
	}
	field := strings.Fields(rest)
	if len(field) < 2 {
		return 0
	}
	n, _ := strconv.Atoi(field[1])
	return n
}

// refuseOwnGroup refuses a cgroup that this process or an ancestor is in, or
// below: cgroup.kill makes no exceptions.
func refuseOwnGroup(path string) error {
	for pid := os.Getpid(); pid >= 1; pid = parent(pid) {
		if kill.InGroup(path, pid) {
			return fmt.Errorf("kill cgroup %s: process %d is in it, and this one hangs on that", path, pid)
		}
	}
	return nil
}
