package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lmkd/lmkd/internal/engine"
	"github.com/lmkd/lmkd/internal/record"
	"github.com/lmkd/lmkd/pkg/pressure"
	"github.com/lmkd/lmkd/pkg/victim"
)

// writeTrace lets the engine kill one process, and gives the trace of it.
func writeTrace(t *testing.T) string {
	t.Helper()
	policy, state, ring := engine.Linux(), engine.NewState(4), record.NewRing(record.Size{})
	sample := pressure.Sample{Has: pressure.HasAvailable, Memory: pressure.Memory{Total: 464 << 20, Available: 20 << 20}}
	leak := victim.Process{PID: 200, UID: 1000, StartTime: 7, RSS: 300 << 20, RssAnon: 300 << 20, Flag: victim.Detailed}
	leak.SetName([]byte("leak"))
	for i, in := range []engine.Input{
		{Kind: engine.Started},
		{Kind: engine.Sampled, Sample: &sample, Reclaim: pressure.Reclaim{Known: true, Kswapd: true}},
		{Kind: engine.Listed, Candidates: []victim.Process{leak}},
		{Kind: engine.Signalled},
		{Kind: engine.Exited},
	} {
		in.At = time.Hour + time.Duration(i)*time.Millisecond
		ring.Append(0, &in, engine.Step(&policy, state, &in))
	}
	path := filepath.Join(t.TempDir(), "trace")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	header := &record.Header{Version: "v1", Kernel: "6.12", BootID: "b", Domains: []record.Domain{{Name: "machine", Policy: policy}}}
	record.Publish(ring, record.NewTraceWriter(file, header, func(err error) { t.Error(err) })).Close()
	return path
}

// runReplay gives what replay prints, and its exit code and error.
func runReplay(t *testing.T, stdin string, args ...string) (out string, code int, text string) {
	t.Helper()
	var b bytes.Buffer
	cmd := newReplayCommand()
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(args)
	cmd.SetOut(&b)
	cmd.SetIn(strings.NewReader(stdin))
	err := cmd.Execute()
	if err == nil {
		return b.String(), exitDone, ""
	}
	code = exitUsage
	var e *exitError
	if errors.As(err, &e) {
		code = e.code
	}
	return b.String(), code, err.Error()
}

func TestReplay(t *testing.T) {
	path := writeTrace(t)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	trace := string(data)
	for name, test := range map[string]struct {
		trace, out string
		code       int
		err        string
	}{
		"same":      {trace, "5 steps, same decisions\n", exitDone, ""},
		"cut":       {trace[:len(trace)-9], "the last line is incomplete and was left out\n4 steps, same decisions\n", exitDone, ""},
		"different": {strings.Replace(trace, `"do":"kill"`, `"do":"abandon"`, 1), "2 steps with the same decisions\n", exitFailed, `trace line 4: out.actions[0].do is "abandon" in the record, "kill" in the replay`},
		"gap":       {strings.Replace(trace, `{"seq":3,`, `{"seq":5,"lost":2,`, 1), "2 steps with the same decisions\n", exitFailed, "trace line 4: 2 entries were overwritten before they were written down: no replay past it"},
		"malformed": {strings.Replace(trace, `{"seq":3,`, `{"seq":3,,`, 1), "2 steps with the same decisions\n", exitUsage, "trace line 4: invalid character ',' looking for beginning of object key string"},
		"no trace":  {"hello\n", "", exitUsage, "trace line 1: invalid character 'h' looking for beginning of value"},
		"empty":     {"", "", exitUsage, "trace line 1: the trace is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			out, code, text := runReplay(t, test.trace, "-")
			if !strings.HasSuffix(out, test.out) || code != test.code || text != test.err {
				t.Errorf("exit %d, %q\nwant %d, %q\n%s", code, text, test.code, test.err, out)
			}
		})
	}
	out, code, _ := runReplay(t, "", path)
	if code != exitDone || !strings.Contains(out, "kill 'leak' (200)") {
		t.Errorf("exit %d:\n%s", code, out)
	}
	if _, code, text := runReplay(t, "", path+"x"); code != exitUsage || !strings.Contains(text, "no such file") {
		t.Errorf("a file that is not there: exit %d, %q", code, text)
	}
	if _, code, _ := runReplay(t, ""); code != exitUsage {
		t.Errorf("no file: exit %d", code)
	}
}

// TestReplayJSON: every line is an object; the last one is the result.
func TestReplayJSON(t *testing.T) {
	data, err := os.ReadFile(writeTrace(t))
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(data), `"do":"kill"`, `"do":"abandon"`, 1)
	out, code, _ := runReplay(t, changed, "--json", "-")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	for _, l := range lines {
		if !json.Valid([]byte(l)) {
			t.Errorf("not JSON: %s", l)
		}
	}
	var result struct {
		Steps                     int
		Same                      bool
		Line                      int
		Field, Recorded, Computed string
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &result); err != nil {
		t.Fatal(err)
	}
	if code != exitFailed || result.Same || result.Steps != 2 || result.Line != 4 || result.Field != "out.actions[0].do" ||
		result.Recorded != `"abandon"` || result.Computed != `"kill"` {
		t.Errorf("exit %d, result %+v", code, result)
	}
}
