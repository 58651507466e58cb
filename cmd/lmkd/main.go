// Command lmkd is a low-memory killer for Linux: woken by the kernel's pressure
// events, it kills the right process through its pidfd, takes the memory back
// at once and waits until the process is gone before it looks again.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

// The exit codes of every subcommand.
const (
	exitDone      = 0
	exitFailed    = 1
	exitUsage     = 2
	exitTimeout   = 3
	exitPermitted = 77
)

// version is set by the build: -ldflags "-X main.version=…".
var version = "devel"

// exitError carries an exit code with the sentence that explains it; an empty
// sentence has been said already.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// exit wraps err so that the process ends with code.
func exit(code int, err error) error { return &exitError{code, err} }

func main() {
	os.Exit(run(os.Args[1:]))
}

// run executes the command line and gives the exit code.
func run(args []string) int {
	root := newRootCommand()
	root.SetArgs(args)
	err := root.Execute()
	if err == nil {
		return exitDone
	}
	// What cobra itself refuses is a usage error.
	code := exitUsage
	var e *exitError
	if errors.As(err, &e) {
		code = e.code
	}
	if text := err.Error(); text != "" {
		fmt.Fprintln(os.Stderr, "lmkd: "+text)
	}
	return code
}

// newRootCommand makes the command tree; plain lmkd runs the daemon.
func newRootCommand() *cobra.Command {
	daemon := newRunCommand()
	root := &cobra.Command{
		Use:           "lmkd",
		Short:         "Low-memory killer for Linux",
		Long:          "lmkd frees memory before the machine freezes: woken by pressure, it kills the\nprocess that a kill helps most, and waits until it is gone before it looks again.\n\nPlain lmkd is lmkd run.\n\nExit codes of every command: 0 done, 1 failed, 2 bad usage or configuration,\n3 timed out, 77 not permitted.",
		Version:       version,
		Args:          cobra.NoArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE:          daemon.RunE,
	}
	root.Flags().AddFlagSet(daemon.Flags())
	root.AddCommand(daemon, newCheckCommand(), newLevelsCommand(), newReplayCommand(), newVersionCommand(), newWaitCommand(), newWatchCommand(), newKillCommand(), newReapCommand())
	if manual != nil {
		root.AddCommand(manual(root))
	}
	return root
}

// manual makes the command that writes the manual pages, in a build with the
// tag man; nil in the daemon's.
var manual func(root *cobra.Command) *cobra.Command
