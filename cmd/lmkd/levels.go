package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/spf13/cobra"

	"github.com/lmkd/lmkd/internal/config"
	"github.com/lmkd/lmkd/internal/control"
)

// levelsOptions are the flags of levels.
type levelsOptions struct {
	config, socket string
	follow, json   bool
}

func newLevelsCommand() *cobra.Command {
	var o levelsOptions
	cmd := &cobra.Command{
		Use:   "levels",
		Short: "Show how short memory is",
		Long: `Show the level of the running daemon, of the whole machine and of each cgroup
that it watches by itself: none, low, medium or critical, and since when. With
--follow each change is another line, until the daemon ends.

Exit codes: 0 when the levels were shown, 1 when no daemon answers, 2 when the
command line or the configuration is wrong.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.OutOrStdout()) },
	}
	cmd.Flags().StringVarP(&o.config, "config", "c", "", "configuration `file`, which names the socket (default "+config.DefaultPath+", if it exists)")
	cmd.Flags().StringVar(&o.socket, "socket", "", "`path` of the daemon's socket (default control.socket of the configuration)")
	cmd.Flags().BoolVarP(&o.follow, "follow", "f", false, "show each change, too")
	cmd.Flags().BoolVar(&o.json, "json", false, "write JSON objects, one a line")
	return cmd
}

func (o *levelsOptions) run(w io.Writer) error {
	path := o.socket
	if path == "" {
		cfg, err := config.Load(o.config)
		if err != nil {
			return exit(exitUsage, err)
		}
		if cfg.Control.Socket == "" {
			return exit(exitFailed, errNoSocket)
		}
		path = controlPath(cfg.Control.Socket)
	}
	conn, err := net.Dial("unix", path)
	if err != nil {
		return exit(codeOf(err), fmt.Errorf("no daemon answers: %w", err))
	}
	defer func() { _ = conn.Close() }()
	if err := json.NewEncoder(conn).Encode(control.Request{Command: "levels", Follow: o.follow}); err != nil {
		return exit(exitFailed, err)
	}
	if err := o.show(w, conn); err != nil {
		return exit(exitFailed, err)
	}
	return nil
}

// show writes what the daemon sends, until it hangs up.
func (o *levelsOptions) show(w io.Writer, from io.Reader) error {
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		var l struct {
			control.LevelLine
			control.ErrorLine
		}
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return fmt.Errorf("the daemon's answer: %w", err)
		}
		if l.Error != "" {
			return errors.New(l.Error)
		}
		text := lines.Text()
		if !o.json {
			text = fmt.Sprintf("%-8s  %s since %s", l.Level, l.Domain, l.At.Local().Format("2006-01-02 15:04:05.000"))
		}
		if _, err := fmt.Fprintln(w, text); err != nil {
			return err
		}
	}
	return lines.Err()
}
