package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/test/vm/machine"
)

// The exit codes that are not the job's own.
const (
	exitUsage     = 2
	exitKernelOOM = 91
	exitPanicked  = 92
	exitNoBoot    = 93
	exitWall      = 94
	exitVanished  = 95
	exitHost      = 96
	exitNoOOM     = 97
	exitSignal    = 128 // plus the signal's number
)

func main() {
	o, err := parseOptions(os.Args[1:], os.Stderr)
	if err != nil {
		os.Exit(exitUsage)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, sys.SignalTerminate)
	r, err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "vm:", err)
		os.Exit(exitHost)
	}
	os.Exit(report(o, r))
}

// run prepares the guest and runs it.
func run(ctx context.Context, o *options) (*machine.Result, error) {
	w, err := openWorkshop()
	if err != nil {
		return nil, err
	}
	c, clean, err := w.prepare(ctx, o)
	if err != nil {
		return nil, err
	}
	defer clean()
	r, err := machine.Run(ctx, c)
	if err != nil {
		return nil, err
	}
	return r, o.bringHome(c.OutDir)
}

// report says what there is to say and gives the exit code. A job that ended
// well is not talked about unless asked.
func report(o *options, r *machine.Result) int {
	code := exitCode(o, r)
	if code != 0 || o.verbose || o.oom == oomRequire {
		fmt.Fprintf(os.Stderr, "vm: kernel %s, %d MB: %s\n", o.kernel, o.memory, r.Sentence())
	}
	if r.End != nil && (code != 0 || r.Verdict == machine.KernelOOM) {
		for _, line := range r.End.OOMLines {
			fmt.Fprintln(os.Stderr, "vm: kernel:", line)
		}
	}
	switch code {
	case exitPanicked, exitNoBoot, exitWall, exitVanished:
		fmt.Fprintln(os.Stderr, "vm: the console's last lines (all of them: -v):")
		for _, line := range r.Console {
			fmt.Fprintln(os.Stderr, "vm: |", line)
		}
	case exitNoOOM:
		fmt.Fprintln(os.Stderr, "vm: the kernel's OOM killer was to kill (-oom require), and did not")
	}
	if o.verbose && r.End != nil {
		fmt.Fprintf(os.Stderr, "vm: booted in %s, ended after %s\n", r.Booted.Round(time.Millisecond), r.Took.Round(time.Millisecond))
	}
	return code
}

func exitCode(o *options, r *machine.Result) int {
	switch r.Verdict {
	case machine.Panicked:
		return exitPanicked
	case machine.BootFailed:
		return exitNoBoot
	case machine.WallLimit:
		return exitWall
	case machine.Vanished:
		return exitVanished
	case machine.KernelOOM:
		switch o.oom {
		case oomForbid:
			return exitKernelOOM
		case oomRequire:
			return 0
		}
	case machine.Exited:
		if o.oom == oomRequire {
			return exitNoOOM
		}
	}
	if r.End.Signal != 0 {
		return exitSignal + r.End.Signal
	}
	return r.End.Code
}
