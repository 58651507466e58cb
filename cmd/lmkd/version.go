package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/lmkd/lmkd/internal/sys"
)

func newVersionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Say which lmkd this is, and on which kernel",
		Long: `Say which lmkd this is, and on which kernel.

Exit codes: 0 done.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "lmkd %s %s %s/%s, kernel %s\n",
				version, runtime.Version(), runtime.GOOS, runtime.GOARCH, sys.KernelRelease())
			return err
		},
	}
}
