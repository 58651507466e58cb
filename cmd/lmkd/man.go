//go:build man

package main

import (
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// The manual pages are made from the commands' own words, by a build of its own:
// the daemon carries no formatter.
func init() {
	manual = func(root *cobra.Command) *cobra.Command {
		root.DisableAutoGenTag, root.CompletionOptions.HiddenDefaultCmd = true, true
		return &cobra.Command{
			Use:    "man DIR",
			Short:  "Write the manual pages",
			Hidden: true,
			Args:   cobra.ExactArgs(1),
			RunE: func(_ *cobra.Command, args []string) error {
				if err := os.MkdirAll(args[0], 0o755); err != nil {
					return err
				}
				return doc.GenManTree(root, &doc.GenManHeader{Section: "8", Source: "lmkd " + version, Manual: "System administration"}, args[0])
			},
		}
	}
}
