package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os/signal"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/taskwatch"
)

// watchOptions are the flags of lmkd watch.
type watchOptions struct {
	events  string
	pids    []int
	threads bool
	json    bool
	quiet   bool
	length  time.Duration
	match   matcher
}

func newWatchCommand() *cobra.Command {
	var o watchOptions
	cmd := &cobra.Command{
		Use:   "watch [flags]",
		Short: "Show forks, execs, exits and other events of all tasks, live",
		Long: `Show what happens to the machine's tasks as it happens, and a summary at the end
(^C, SIGTERM or --for): fork, exec, uid, gid, sid (a new session), ptrace, comm
(a new name), coredump, exit, free (reaped; Linux 6.9), lost (events were lost).

Every event that is asked for costs the machine a wakeup of lmkd. On kernels
before 6.6, which filter nothing, all events do, whatever is asked for.

Exit codes: 0 done, 1 failed, 2 bad usage, 77 not permitted.`,
		Example: `  lmkd watch
  lmkd watch --event exec,exit --comm '^(cc1|ld)$'
  lmkd watch --event exit --for 10s --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runWatch(cmd, &o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.events, "event", "fork,exec,exit,coredump", "the kinds of events, with commas between them, or all")
	f.IntSliceVar(&o.pids, "pid", nil, "only events of this process and its forks (repeatable)")
	f.BoolVar(&o.threads, "threads", false, "also the forks and exits of threads")
	f.BoolVar(&o.json, "json", false, "one JSON object per event, then the summary")
	f.BoolVar(&o.quiet, "quiet", false, "the summary only")
	f.DurationVar(&o.length, "for", 0, "end after this long")
	o.match.flags(f)
	return cmd
}

func runWatch(cmd *cobra.Command, o *watchOptions) error {
	kinds, err := taskwatch.ParseKinds(o.events)
	if err == nil {
		err = o.match.compile()
	}
	if err != nil {
		return exit(exitUsage, err)
	}
	w, err := taskwatch.Watch(taskwatch.Config{Kinds: needed(kinds)})
	if err != nil {
		code := exitFailed
		if errors.Is(err, fs.ErrPermission) || errors.Is(err, sys.ECONNREFUSED) {
			code = exitPermitted
		}
		return exit(code, err)
	}
	defer w.Close()
	v := newView(cmd.OutOrStdout(), o, kinds)
	v.tasks.scan() // after the first event can come, so that none is of a stranger
	ctx, stop := watchContext(cmd.Context(), o.length)
	defer stop()
	if err := v.follow(ctx, w); err != nil {
		return exit(exitFailed, err)
	}
	return nil
}

// watchContext ends with a signal that asks us to, or after length.
func watchContext(ctx context.Context, length time.Duration) (context.Context, context.CancelFunc) {
	if ctx == nil {
		ctx = context.Background()
	}
	ctx, stop := signal.NotifyContext(ctx, sys.Interrupt, sys.Terminate)
	if length <= 0 {
		return ctx, stop
	}
	ctx, cancel := context.WithTimeout(ctx, length)
	return ctx, func() { cancel(); stop() }
}

// needed adds the kinds that tell of the name and the age of a process that
// will be gone when its end is read.
func needed(kinds taskwatch.Kind) taskwatch.Kind {
	const ends = taskwatch.Exit | taskwatch.Free | taskwatch.Coredump
	if kinds&ends != 0 {
		kinds |= taskwatch.Fork | taskwatch.Exec | taskwatch.Comm | taskwatch.Exit
	}
	return kinds
}

// view shows events to a person or a program.
type view struct {
	out   io.Writer
	o     *watchOptions
	kinds taskwatch.Kind
	pids  map[int]bool
	tasks *taskTable
	sum   *summary
}

func newView(out io.Writer, o *watchOptions, kinds taskwatch.Kind) *view {
	v := &view{out: out, o: o, kinds: kinds | taskwatch.Lost, tasks: newTaskTable("/proc", kinds), sum: newSummary()}
	if len(o.pids) > 0 {
		v.pids = map[int]bool{}
		for _, pid := range o.pids {
			v.pids[pid] = true
		}
	}
	return v
}

// follow shows events until ctx is done, then the summary.
func (v *view) follow(ctx context.Context, w *taskwatch.Watcher) error {
	begin := sys.Now()
	if err := v.head(); err != nil {
		return err
	}
	batch := make([]taskwatch.Event, 256)
	for {
		n, err := w.Read(ctx, batch)
		if err != nil {
			return v.end(sys.Now() - begin)
		}
		for i := range batch[:n] {
			if err := v.event(&batch[i]); err != nil {
				return err
			}
		}
	}
}

// event takes one event in, and shows it if it is asked for.
func (v *view) event(ev *taskwatch.Event) error {
	t := v.tasks.apply(ev)
	if ev.Kind&v.kinds == 0 || !v.chosen(ev, &t) {
		return nil
	}
	v.sum.count(ev, t.comm)
	if v.o.quiet {
		return nil
	}
	if v.o.json {
		return writeJSON(v.out, newJSONEvent(ev, &t))
	}
	_, err := fmt.Fprintln(v.out, line(ev, &t))
	return err
}

// chosen reports whether the flags let the event through. A loss concerns all.
func (v *view) chosen(ev *taskwatch.Event, t *task) bool {
	switch {
	case ev.Kind == taskwatch.Lost:
		return true
	case ev.Thread() && ev.Kind&(taskwatch.Fork|taskwatch.Exit) != 0 && !v.o.threads:
		return false
	case v.pids != nil && !v.pids[ev.TGID] && !(ev.Kind == taskwatch.Fork && v.pids[ev.ParentTGID]):
		return false
	}
	return v.o.match.matches(&t.traits)
}

func (v *view) head() error {
	if v.o.json || v.o.quiet {
		return nil
	}
	_, err := fmt.Fprintf(v.out, "%-12s  %-8s  %7s  %7s  %-9s  %-22s  %s\n", "TIME", "EVENT", "PID", "PARENT", "AGE", "INFO", "COMMAND")
	return err
}

func (v *view) end(took time.Duration) error {
	if v.o.json {
		return writeJSON(v.out, v.sum.json(took))
	}
	_, err := io.WriteString(v.out, v.sum.text(took))
	return err
}

// line is an event as a row of the table.
func line(ev *taskwatch.Event, t *task) string {
	parent, age := "-", "-"
	if ev.ParentTGID != 0 {
		parent = fmt.Sprint(ev.ParentTGID)
	}
	if a, ok := t.age(ev.Time); ok {
		age = shortTime(a)
	}
	row := fmt.Sprintf("%-12s  %-8v  %7d  %7s  %-9s  %-22s  %s", wall(ev.Time).Format("15:04:05.000"), ev.Kind, ev.PID,
		parent, age, info(ev), t.command())
	return strings.TrimRight(row, " ")
}

// wall turns the kernel's time of an event into the wall clock's.
func wall(at time.Duration) time.Time {
	if at == 0 {
		return time.Now()
	}
	return time.Now().Add(at - sys.Now())
}

// shortTime writes a time with three digits: 1.23ms, 45.6s, 3h12m.
func shortTime(d time.Duration) string {
	switch {
	case d >= time.Hour:
		return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
	case d >= time.Minute:
		return d.Round(time.Second).String()
	case d >= 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d >= 10*time.Millisecond:
		return d.Round(100 * time.Microsecond).String()
	}
	return d.Round(10 * time.Microsecond).String()
}
