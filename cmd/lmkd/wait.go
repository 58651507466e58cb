package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/lmkd/lmkd/pkg/exitwait"
)

// waitOptions are the flags of lmkd wait.
type waitOptions struct {
	timeout  seconds
	timed    bool
	any      bool
	count    int
	exited   bool
	status   bool
	verbose  bool
	json     bool
	handle   bool
	backend  string
	interval time.Duration
	match    matcher
}

func newWaitCommand() *cobra.Command {
	var o waitOptions
	cmd := &cobra.Command{
		Use:   "wait [flags] PID|PID:INODE|HANDLE...",
		Short: "Wait until processes have exited, children or not",
		Long: `Wait until processes have exited, whoever their parent is. A zombie has exited.

A process is named by its pid, by the PID:INODE that util-linux prints, or by a
handle, which --print-handle gives: that one can be kept over restarts of
whoever waits, and never means another process that got the same pid. Or by what
it is: --comm, --cmdline and --uid choose among those that run now.

Exit codes: 0 the processes have exited, 1 there is no such process or the wait
failed, 2 bad usage, 3 timed out, 77 not permitted.`,
		Example: `  lmkd wait --timeout 5s 4711
  h=$(lmkd wait --print-handle 4711); lmkd wait --status "$h"
  lmkd wait --any --comm '^cc1'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.timed = cmd.Flags().Changed("timeout")
			return runWait(cmd, &o, args)
		},
	}
	f := cmd.Flags()
	f.VarP(&o.timeout, "timeout", "t", "give up after this long (5s, 200ms; a number means seconds)")
	f.BoolVar(&o.any, "any", false, "until the first of them has exited")
	f.IntVarP(&o.count, "count", "c", 0, "until this many of them have exited")
	f.BoolVarP(&o.exited, "exited", "e", false, "count those that are gone already as exited, instead of failing")
	f.BoolVar(&o.status, "status", false, "print how each of them ended, where the kernel tells")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "say what is waited for, and each exit")
	f.BoolVar(&o.json, "json", false, "print one JSON object per process")
	f.BoolVar(&o.handle, "print-handle", false, "print the handle of each of them, and do not wait")
	f.StringVar(&o.backend, "backend", "auto", "what tells of the exit: auto, pidfd, connector, ptrace, poll")
	f.DurationVar(&o.interval, "interval", 0, "permit to poll, this often; --backend poll needs it")
	o.match.flags(f)
	cmd.MarkFlagsMutuallyExclusive("any", "count")
	return cmd
}

// seconds is a time that may be written as a bare number of seconds, as the
// users of util-linux do.
type seconds time.Duration

// Set reads a time.
func (s *seconds) Set(text string) error {
	if n, err := strconv.ParseFloat(text, 64); err == nil {
		if math.IsNaN(n) || n < 0 || n > math.MaxInt64/float64(time.Second) {
			return errors.New("not a time that can be waited")
		}
		*s = seconds(n * float64(time.Second))
		return nil
	}
	d, err := time.ParseDuration(text)
	if err == nil && d < 0 {
		err = errors.New("a time before now")
	}
	*s = seconds(d)
	return err
}

// String writes it.
func (s *seconds) String() string { return time.Duration(*s).String() }

// Type names it in the help.
func (s *seconds) Type() string { return "duration" }

func runWait(cmd *cobra.Command, o *waitOptions, args []string) error {
	handles, err := o.handles(args)
	if err != nil {
		return err
	}
	backend, err := o.check(len(handles))
	if err != nil {
		return exit(exitUsage, err)
	}
	opts := []exitwait.Option{exitwait.With(backend)}
	if o.interval > 0 {
		opts = append(opts, exitwait.Every(o.interval))
	}
	w := &waiting{o: o, out: cmd.OutOrStdout()}
	if !o.json {
		w.notes = cmd.ErrOrStderr()
	}
	defer w.close()
	for _, h := range handles {
		if err := w.open(h, opts); err != nil {
			return err
		}
	}
	if o.handle {
		return w.printHandles()
	}
	return w.wait(cmd.Context())
}

// handles gives the processes that are named or match.
func (o *waitOptions) handles(args []string) ([]exitwait.Handle, error) {
	if err := o.match.compile(); err != nil {
		return nil, exit(exitUsage, err)
	}
	var handles []exitwait.Handle
	for _, arg := range args {
		h, err := exitwait.ParseHandle(arg)
		if err != nil {
			return nil, exit(exitUsage, err)
		}
		handles = append(handles, h)
	}
	if o.match.empty() {
		if len(handles) == 0 {
			return nil, exit(exitUsage, errors.New("which process to wait for? Name a PID, or use --comm, --cmdline or --uid"))
		}
		return handles, nil
	}
	pids, err := o.match.find("/proc")
	if err != nil {
		return nil, exit(exitFailed, err)
	}
	for _, pid := range pids {
		handles = append(handles, exitwait.Handle{PID: pid})
	}
	if len(handles) == 0 {
		return nil, exit(exitFailed, errors.New("no process matches"))
	}
	return handles, nil
}

// check looks at what the flags say together.
func (o *waitOptions) check(n int) (exitwait.Backend, error) {
	switch {
	case o.any:
		o.count = 1
	case o.count < 0 || o.count > n:
		return 0, fmt.Errorf("--count %d: there are %d processes to wait for", o.count, n)
	case o.count == 0:
		o.count = n
	}
	backend, err := exitwait.ParseBackend(o.backend)
	if err == nil && backend == exitwait.Poll && o.interval <= 0 {
		err = errors.New("--backend poll needs --interval: how often to look")
	}
	return backend, err
}

// waiting is one run of lmkd wait.
type waiting struct {
	o       *waitOptions
	out     io.Writer
	notes   io.Writer // of --verbose; nil with --json
	members []*exitwait.Process
	exited  int
}

func (w *waiting) close() {
	for _, p := range w.members {
		_ = p.Close()
	}
}

// open opens one process. One that is gone is an error, unless --exited counts
// it; one that a pattern found may go at any time.
func (w *waiting) open(h exitwait.Handle, opts []exitwait.Option) error {
	p, err := exitwait.Reopen(h, opts...)
	if errors.Is(err, exitwait.ErrGone) && (w.o.exited || !w.o.match.empty()) {
		w.exited++
		return w.report(h.PID, exitwait.Exit{}, true)
	}
	if err != nil {
		code := exitFailed
		if errors.Is(err, fs.ErrPermission) {
			code = exitPermitted
		}
		return exit(code, err)
	}
	w.members = append(w.members, p)
	if w.o.verbose && w.notes != nil && !w.o.handle {
		fmt.Fprintf(w.notes, "waiting for %d (%s)\n", h.PID, commOf(h.PID))
	}
	return nil
}

func (w *waiting) printHandles() error {
	for _, p := range w.members {
		h, err := p.Handle()
		if err != nil {
			return exit(exitFailed, err)
		}
		if w.o.json {
			err = writeJSON(w.out, jsonHandle{PID: p.PID(), Handle: h.String()})
		} else {
			_, err = fmt.Fprintln(w.out, h)
		}
		if err != nil {
			return exit(exitFailed, err)
		}
	}
	return nil
}

type jsonHandle struct {
	PID    int    `json:"pid"`
	Handle string `json:"handle"`
}

// wait waits until enough have exited.
func (w *waiting) wait(ctx context.Context) error {
	if ctx == nil {
		ctx = context.Background()
	}
	if w.o.timed {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(w.o.timeout))
		defer cancel()
	}
	set, err := exitwait.NewSet()
	if err != nil {
		return exit(exitFailed, err)
	}
	defer set.Close()
	for _, p := range w.members {
		if err := set.Add(p); err != nil {
			return exit(exitFailed, err)
		}
	}
	var batch [64]*exitwait.Process
	for w.exited < w.o.count {
		n, err := set.Wait(ctx, batch[:])
		if errors.Is(err, context.DeadlineExceeded) {
			return w.timedOut(set.Len())
		}
		if err != nil {
			return exit(exitFailed, err)
		}
		if err := w.reportAll(batch[:n]); err != nil {
			return err
		}
	}
	return nil
}

func (w *waiting) reportAll(exited []*exitwait.Process) error {
	for _, p := range exited {
		status, err := p.TryWait()
		if err != nil {
			return exit(exitFailed, err)
		}
		w.exited++
		if err := w.report(p.PID(), status, false); err != nil {
			return err
		}
	}
	return nil
}

// timedOut ends the wait with those that still run.
func (w *waiting) timedOut(running int) error {
	if w.o.json {
		for _, p := range w.members {
			if _, err := p.TryWait(); errors.Is(err, exitwait.ErrRunning) {
				if err := writeJSON(w.out, jsonExit{PID: p.PID()}); err != nil {
					return exit(exitFailed, err)
				}
			}
		}
	}
	var said error
	if w.o.verbose {
		said = fmt.Errorf("timed out, %d still running", running)
	}
	return exit(exitTimeout, said)
}

// jsonExit is how a process ended. Code and Signal are missing when they are
// not known or not so.
type jsonExit struct {
	PID    int    `json:"pid"`
	Exited bool   `json:"exited"`
	Gone   bool   `json:"gone_before,omitempty"`
	Known  bool   `json:"status_known"`
	Code   *int   `json:"code,omitempty"`
	Signal string `json:"signal,omitempty"`
	Core   bool   `json:"core_dumped,omitempty"`
}

// report tells of one exit, as the flags ask for.
func (w *waiting) report(pid int, e exitwait.Exit, gone bool) (err error) {
	switch {
	case w.o.json:
		err = writeJSON(w.out, newJSONExit(pid, e, gone))
	case w.o.status:
		_, err = fmt.Fprintf(w.out, "%d %v\n", pid, e)
	}
	if err == nil && w.o.verbose && w.notes != nil {
		_, err = fmt.Fprintf(w.notes, "%d has exited\n", pid)
	}
	if err != nil {
		return exit(exitFailed, err)
	}
	return nil
}

func newJSONExit(pid int, e exitwait.Exit, gone bool) jsonExit {
	j := jsonExit{PID: pid, Exited: true, Gone: gone, Known: e.Known, Core: e.CoreDumped()}
	if code := e.Code(); code >= 0 {
		j.Code = &code
	}
	if e.Signal() != 0 {
		j.Signal = e.SignalName()
	}
	return j
}
