package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// Every command says in its help, and so in its manual page, how it ends.
func TestEveryCommandTellsItsExitCodes(t *testing.T) {
	root := newRootCommand()
	for _, cmd := range slices.Concat([]*cobra.Command{root}, root.Commands()) {
		if !strings.Contains(cmd.Long, "Exit codes") {
			t.Errorf("%s does not tell its exit codes", cmd.CommandPath())
		}
		if cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") {
			t.Errorf("%s: short help %q", cmd.CommandPath(), cmd.Short)
		}
	}
}
