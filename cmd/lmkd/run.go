package main

import (
	"errors"
	"log"
	"os"
	"os/signal"
	"path/filepath"

	sdnotify "github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"

	"github.com/lmkd/lmkd/internal/config"
	"github.com/lmkd/lmkd/internal/daemon"
	"github.com/lmkd/lmkd/internal/probe"
	"github.com/lmkd/lmkd/internal/sys"
)

// runOptions are the flags of run.
type runOptions struct {
	config string
	trace  string
	dryRun bool
}

func newRunCommand() *cobra.Command {
	var o runOptions
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the daemon",
		Long: `Run the daemon: wait for memory pressure, kill the process that a kill helps
most, wait until it is gone, and look again. Everything that it does is a line
on standard error.

Exit codes: 0 stopped by SIGTERM or SIGINT, 1 failed, 2 the configuration is
wrong, 77 not permitted.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return o.run() },
	}
	cmd.Flags().StringVarP(&o.config, "config", "c", "", "configuration `file` (default "+config.DefaultPath+", if it exists)")
	cmd.Flags().StringVar(&o.trace, "trace", "", "write every input and decision to `file`, for lmkd replay")
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "decide, but kill nothing")
	return cmd
}

// run is the straight line of the daemon: configuration, record, loop.
func (o *runOptions) run() error {
	say := newLogger()
	cfg, err := config.Load(o.config)
	if err != nil {
		return exit(exitUsage, err)
	}
	pub, err := newPublisher(cfg, o.trace, o.dryRun, say)
	if err != nil {
		return exit(codeOf(err), err)
	}
	pub.probed(probe.Report("/", needs(cfg)))
	// Half of what systemd allows (WatchdogSec=), as sd_watchdog_enabled(3) advises.
	allowed, _ := sdnotify.SdWatchdogEnabled(false)
	d, err := daemon.New(daemon.Options{
		Root: "/", Policy: cfg.Machine, Groups: groups(cfg), Realtime: cfg.Realtime, DryRun: o.dryRun,
		Watchdog: cfg.Watchdog, State: statePath(),
		Feed: func() { _, _ = sdnotify.SdNotify(false, sdnotify.SdNotifyWatchdog) }, FeedEvery: allowed / 2,
		Clients: pub.clients(), Record: pub.begin, WatchdogRecord: pub.watchdog, Say: say.Printf, Ready: pub.ready,
	})
	if err != nil {
		return exit(exitFailed, err)
	}
	stopped := stopOnSignal(d, say)
	pub.waitForBoot(stopped, allowed/2)
	err = d.Run()
	_, _ = sdnotify.SdNotify(false, sdnotify.SdNotifyStopping)
	if err = errors.Join(err, pub.close()); err != nil {
		return exit(codeOf(err), err)
	}
	return nil
}

// groups are the domains of the config as the daemon takes them.
func groups(cfg *config.Config) []daemon.Group {
	out := make([]daemon.Group, len(cfg.Domains))
	for i := range cfg.Domains {
		d := &cfg.Domains[i]
		out[i] = daemon.Group{Patterns: d.Cgroups, Policy: d.Policy, Called: d.Called}
	}
	return out
}

// statePath gives the file that names the kill under way: in the directory that
// systemd made, or in /run.
func statePath() string {
	return filepath.Join(runDirectory(), "inflight")
}

// codeOf tells a missing permission from any other failure.
func codeOf(err error) int {
	if errors.Is(err, os.ErrPermission) {
		return exitPermitted
	}
	return exitFailed
}

// newLogger logs to standard error: with times for a person, without under
// systemd, which has its own.
func newLogger() *log.Logger {
	flags := log.LstdFlags
	if os.Getenv("JOURNAL_STREAM") != "" {
		flags = 0
	}
	return log.New(os.Stderr, "", flags)
}

// stopOnSignal ends the daemon on SIGTERM and SIGINT, and then closes what it
// gives.
func stopOnSignal(d *daemon.Daemon, say *log.Logger) <-chan struct{} {
	c, stopped := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(c, sys.TerminationSignals...)
	go func() {
		say.Printf("stopping: %v", <-c)
		d.Stop()
		close(stopped)
	}()
	return stopped
}
