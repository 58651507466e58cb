package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/lmkd/lmkd/internal/record"
)

func newReplayCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "replay FILE",
		Short: "Show a trace, and decide it again",
		Long: `Show the trace that lmkd run --trace wrote as a timeline, and run its inputs
through the same decisions. FILE - is standard input.

Exit codes: 0 when every decision is the recorded one, 1 when one differs or the
trace has a gap, 2 when it can not be read.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := openTrace(args[0], cmd.InOrStdin())
			if err != nil {
				return exit(exitUsage, err)
			}
			defer file.Close()
			out := bufio.NewWriter(cmd.OutOrStdout())
			err = replay(file, newReplayWriter(out, asJSON))
			if flush := out.Flush(); err == nil && flush != nil {
				err = exit(exitFailed, fmt.Errorf("write the timeline: %w", flush))
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object per line: every step, then the result")
	return cmd
}

func openTrace(name string, stdin io.Reader) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(stdin), nil
	}
	return os.Open(name)
}

// replay shows and decides a trace, and gives the exit code that follows.
func replay(file io.Reader, w replayWriter) error {
	trace, err := record.NewReader(file)
	if err != nil {
		return exit(exitUsage, err)
	}
	w.begin(&trace.Header)
	timeline := record.NewTimeline(&trace.Header)
	steps, err := record.Replay(trace, func(line int, e *record.Entry) { w.step(line, e, timeline.Moment(e)) })
	var differs *record.Difference
	var gap *record.Gap
	switch {
	case errors.As(err, &differs), errors.As(err, &gap):
		w.end(steps, trace.Cut(), err)
		return exit(exitFailed, err)
	case err != nil:
		w.end(steps, trace.Cut(), err)
		return exit(exitUsage, err)
	}
	w.end(steps, trace.Cut(), nil)
	return nil
}

// replayWriter shows a replay to a person or to a program.
type replayWriter interface {
	begin(*record.Header)
	step(line int, e *record.Entry, m record.Moment)
	end(steps int, cut bool, err error)
}

func newReplayWriter(w io.Writer, asJSON bool) replayWriter {
	if asJSON {
		return jsonReplay{json.NewEncoder(w)}
	}
	return textReplay{w}
}

type textReplay struct{ w io.Writer }

func (t textReplay) begin(h *record.Header) {
	fmt.Fprintf(t.w, "lmkd %s on Linux %s, boot %s\n", h.Version, h.Kernel, h.BootID)
}

func (t textReplay) step(_ int, e *record.Entry, m record.Moment) {
	if !record.Quiet(e) {
		fmt.Fprintln(t.w, m)
	}
}

func (t textReplay) end(steps int, cut bool, err error) {
	if cut {
		fmt.Fprintln(t.w, "the last line is incomplete and was left out")
	}
	if err == nil {
		fmt.Fprintf(t.w, "%d steps, same decisions\n", steps)
		return
	}
	fmt.Fprintf(t.w, "%d steps with the same decisions\n", steps)
}

type jsonReplay struct{ enc *json.Encoder }

type jsonStep struct {
	Line   int      `json:"line"`
	Seq    uint64   `json:"seq"`
	After  int64    `json:"after_ns"`
	Domain string   `json:"domain"`
	Kind   string   `json:"kind"`
	What   string   `json:"what"`
	Why    []string `json:"why,omitempty"`
}

type jsonResult struct {
	Steps int    `json:"steps"`
	Same  bool   `json:"same"`
	Cut   bool   `json:"last_line_cut"`
	Error string `json:"error,omitempty"`
	*jsonDifference
}

type jsonDifference struct {
	Line     int    `json:"line"`
	Field    string `json:"field"`
	Recorded string `json:"recorded"`
	Computed string `json:"computed"`
}

func (j jsonReplay) begin(h *record.Header) { _ = j.enc.Encode(h) }

func (j jsonReplay) step(line int, e *record.Entry, m record.Moment) {
	kind := e.In.Kind.String()
	if e.Closed {
		kind = "closed"
	}
	_ = j.enc.Encode(jsonStep{line, e.Seq, int64(m.After), m.Domain, kind, m.What, m.Why})
}

func (j jsonReplay) end(steps int, cut bool, err error) {
	r := jsonResult{Steps: steps, Same: err == nil, Cut: cut}
	if err != nil {
		r.Error = err.Error()
	}
	var d *record.Difference
	if errors.As(err, &d) {
		r.jsonDifference = &jsonDifference{d.Line, d.Field, d.Recorded, d.Computed}
	}
	_ = j.enc.Encode(r)
}
