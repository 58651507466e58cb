package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/lmkd/lmkd/internal/engine"
)

// replayAll reads and replays a trace whole.
func replayAll(trace []byte) (steps int, cut bool, err error) {
	rd, err := NewReader(bytes.NewReader(trace))
	if err != nil {
		return 0, false, err
	}
	steps, err = Replay(rd, nil)
	return steps, rd.Cut(), err
}

func TestReplaySameDecisions(t *testing.T) {
	steps, cut, err := replayAll(whole().trace(t))
	if steps != 39 || cut || err != nil {
		t.Errorf("%d steps, cut %v, error %v; want 39 and none", steps, cut, err)
	}
}

// TestReplayFindsTheDifference changes one thing in a trace, and the replay
// names the line, the field and both values.
func TestReplayFindsTheDifference(t *testing.T) {
	trace := string(whole().trace(t))
	for name, test := range map[string]struct{ old, new, want string }{
		"policy":  {`"LowAvailable":5,`, `"LowAvailable":2,`, `trace line 3: out.actions[0].until is 3600054000000 in the record, 3600058000000 in the replay`},
		"input":   {`"available":20971520`, `"available":209715200`, `trace line 7: out.actions[0].do is "list" in the record, "wait" in the replay`},
		"victim":  {`"pid":200,"adj":0,`, `"pid":200,"adj":-1000,`, `trace line 8: out.actions[0].index is 0 in the record, 1 in the replay`},
		"actions": {`{"do":"abandon"},`, ``, `trace line 22: out.actions[0].do is "sample" in the record, "abandon" in the replay`},
		"more":    {`"actions":[{"do":"rest",`, `"actions":[{"do":"rest","until":3600054000000,"room":177628780},{"do":"rest",`, `trace line 3: out.actions.length is 2 in the record, 1 in the replay`},
		"note":    {`"note":"kill_done"`, `"note":"nobody"`, `trace line 12: out.note is "nobody" in the record, "kill_done" in the replay`},
		"outcome": {`"available_after":335544320`, `"available_after":335544321`, `trace line 12: out.outcome.available_after is 335544321 in the record, 335544320 in the replay`},
		"ranking": {`"eligible":2}`, `"eligible":1}`, `trace line 8: out.ranking.eligible is 1 in the record, 2 in the replay`},
		"facts":   {`"low":4194304,"high":6291456,"mark":2`, `"low":4194304,"high":6291456,"mark":1`, `trace line 3: out.verdict.facts.mark is 1 in the record, 2 in the replay`},
	} {
		t.Run(name, func(t *testing.T) {
			changed := strings.Replace(trace, test.old, test.new, 1)
			if changed == trace {
				t.Fatalf("the trace has no %s", test.old)
			}
			_, _, err := replayAll([]byte(changed))
			var d *Difference
			if !errors.As(err, &d) || err.Error() != test.want {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
}

// TestReplayStopsAtGaps: what was overwritten can not be replayed, and is not
// passed over.
func TestReplayStopsAtGaps(t *testing.T) {
	trace := string(whole().trace(t))
	for name, test := range map[string]struct{ old, new, want string }{
		"entries":    {`{"seq":6,"at":`, `{"seq":9,"lost":3,"at":`, "trace line 7: 3 entries were overwritten"},
		"candidates": {`{"seq":7,"at":`, `{"seq":7,"cut":1,"at":`, "trace line 8: the candidates were overwritten"},
		"more":       {`{"seq":7,"at":`, `{"seq":7,"cut":2,"at":`, "trace line 8: there were more candidates"},
		"outcome":    {`{"seq":11,"at":`, `{"seq":11,"cut":8,"at":`, "trace line 12: the outcome was overwritten"},
		"actions":    {`{"seq":11,"at":`, `{"seq":11,"cut":16,"at":`, "trace line 12: there were more actions"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := replayAll([]byte(strings.Replace(trace, test.old, test.new, 1)))
			var g *Gap
			if !errors.As(err, &g) || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
	// Shortened texts decide nothing.
	if _, _, err := replayAll([]byte(strings.Replace(trace, `{"seq":7,"at":`, `{"seq":7,"cut":4,"at":`, 1))); err != nil {
		t.Errorf("shortened texts: %v", err)
	}
}

func TestReaderIsStrict(t *testing.T) {
	trace := string(whole().trace(t))
	header, rest, _ := strings.Cut(trace, "\n")
	for name, test := range map[string]struct{ trace, want string }{
		"empty":           {"", "trace line 1: the trace is empty"},
		"no trace":        {"hello\n", "trace line 1: invalid character"},
		"other json":      {"{}\n", "trace line 1: not a trace of lmkd"},
		"later format":    {`{"lmkd_trace":2,"new":1}` + "\n", "trace line 1: format 2, this lmkd reads format 1"},
		"unknown key":     {strings.Replace(trace, `"kernel"`, `"colonel"`, 1), `trace line 1: json: unknown field "colonel"`},
		"unknown setting": {strings.Replace(trace, `"LowAvailable"`, `"LowAvail"`, 1), `trace line 1: json: unknown field "LowAvail"`},
		"no domain":       {`{"lmkd_trace":1}` + "\n", "trace line 1: the header names no domain"},
		"twice":           {strings.Replace(header, `"domains":[`, `"domains":[{"id":0},`, 1) + "\n", "trace line 1: the header names domain 0 twice"},
		"unknown field":   {strings.Replace(trace, `"memory"`, `"memori"`, 1), `trace line 3: json: unknown field "memori"`},
		"unknown kind":    {strings.Replace(trace, `"kind":"started"`, `"kind":"begun"`, 1), `trace line 2: unknown Kind "begun"`},
		"unknown action":  {strings.Replace(trace, `"do":"rest"`, `"do":"sleep"`, 1), `trace line 3: unknown Do "sleep"`},
		"unknown note":    {strings.Replace(trace, `"note":"nobody"`, `"note":"x"`, 1), `trace line 24: unknown Note "x"`},
		"unknown reason":  {strings.Replace(trace, `"reason":"none"`, `"reason":"x"`, 1), `trace line 3: unknown Reason "x"`},
		"unknown level":   {strings.Replace(trace, `"event":"medium"`, `"event":"x"`, 1), `trace line 4: unknown Level "x"`},
		"place":           {strings.Replace(trace, `"excluded":7`, `"excluded":99`, 1), `trace line 19: place 1 of the ranking has an unknown reason`},
		"long name":       {strings.Replace(trace, `"comm":"editor"`, `"comm":"12345678901234567"`, 1), `trace line 8: comm of pid 100 has 17 bytes, 16 is the most`},
		"escape":          {strings.Replace(trace, `"comm":"editor"`, `"comm":"\\q"`, 1), `trace line 8: a backslash that begins neither`},
		"no sample":       {header + "\n" + `{"seq":1,"at":1,"kind":"sampled","out":{}}` + "\n", "trace line 2: kind sampled has neither"},
		"domain":          {strings.Replace(trace, `{"seq":1,`, `{"seq":1,"domain":7,`, 1), "trace line 2: domain 7 is not in the header"},
		"order":           {header + "\n" + rest[strings.Index(rest, "\n")+1:], "trace line 2: seq 2 follows 0 with 0 lost"},
		"two in a line":   {strings.Replace(trace, "}\n{\"seq\":2,", "}{\"seq\":2,", 1), "trace line 2: more than one value in a line"},
		"number":          {strings.Replace(trace, `"pid":100`, `"pid":1e99`, 1), "trace line 8: json: cannot unmarshal number"},
		"endless line":    {header + "\n" + strings.Repeat(" ", lineLimit+1), "trace line 2: longer than"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := replayAll([]byte(test.trace))
			var l *LineError
			if !errors.As(err, &l) || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
}

// TestCutLastLine: a trace that ends anywhere is replayed up to its last whole
// line, and the rest is said to be missing.
func TestCutLastLine(t *testing.T) {
	trace := whole().trace(t)
	head := bytes.IndexByte(trace, '\n') + 1
	last := bytes.LastIndexByte(trace[:len(trace)-1], '\n') + 1
	for n := last; n < len(trace); n++ {
		steps, cut, err := replayAll(trace[:n])
		wantSteps, wantCut := 38, n > last
		if n == len(trace)-1 { // only the newline is missing
			wantSteps, wantCut = 39, false
		}
		if steps != wantSteps || cut != wantCut || err != nil {
			t.Fatalf("cut at %d of %d: %d steps, cut %v, error %v", n, len(trace), steps, cut, err)
		}
	}
	if steps, cut, err := replayAll(trace[:head]); steps != 0 || cut || err != nil {
		t.Errorf("a header alone: %d steps, cut %v, error %v", steps, cut, err)
	}
	if _, _, err := replayAll(trace[:head/2]); err == nil {
		t.Error("half a header was read")
	}
}

func TestReaderGivesReadErrors(t *testing.T) {
	trace := whole().trace(t)
	broken := errors.New("broken disk")
	rd, err := NewReader(io.MultiReader(bytes.NewReader(trace[:len(trace)/2]), iotest.ErrReader(broken)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Replay(rd, nil); !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
}

// failingWriter takes n bytes and then no more.
type failingWriter struct{ left int }

func (w *failingWriter) Write(p []byte) (int, error) {
	if w.left -= len(p); w.left < 0 {
		return 0, errors.New("no space left on device")
	}
	return len(p), nil
}

func TestTraceWriterTellsOfAFailureOnce(t *testing.T) {
	var errs []string
	s := whole()
	w := NewTraceWriter(&failingWriter{left: 4000}, s.header(), func(err error) { errs = append(errs, err.Error()) })
	s.tell(w, w)
	if len(errs) != 1 || errs[0] != "write the trace: no space left on device" {
		t.Errorf("told %q", errs)
	}
}

func TestText(t *testing.T) {
	for _, s := range []string{"", "leak", "naïve", "\xff", "a\xc3", `\`, `\xff`, `\\`, "\ufffd", "\x00\n\"<&>", "\u2028", "\u202e"} {
		data, err := json.Marshal(text(s))
		if err != nil {
			t.Fatal(err)
		}
		var back text
		if err := json.Unmarshal(data, &back); err != nil || string(back) != s {
			t.Errorf("%q became %s and then %q, %v", s, data, back, err)
		}
	}
	for _, bad := range []string{`"\\"`, `"\\x4"`, `"\\x41"`, `"\\xzz"`, `"\\n"`, `7`} {
		var back text
		if err := json.Unmarshal([]byte(bad), &back); err == nil {
			t.Errorf("%s was read as %q", bad, back)
		}
	}
}

// FuzzReplay: no trace, whatever it says, makes the reader, the engine, the
// timeline or the log panic, and what was read can be written and read again.
func FuzzReplay(f *testing.F) {
	trace := whole().trace(f)
	lines := bytes.SplitAfter(trace, []byte("\n"))
	for i := range lines[:13] {
		f.Add(append(append([]byte(nil), lines[0]...), lines[i]...))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		rd, err := NewReader(bytes.NewReader(data))
		if err != nil {
			return
		}
		timeline := NewTimeline(&rd.Header)
		log := NewLog(LogOptions{Domains: rd.Header.Domains, Debug: true}, func(string) {})
		_, _ = Replay(rd, func(_ int, e *Entry) {
			_ = timeline.Moment(e).String()
			if e.Out.Note != engine.KernelKill || e.In.Sample != nil {
				log.Record(e)
			}
			rewrite(t, e)
		})
	})
}

func rewrite(t *testing.T, e *Entry) {
	first, err := json.Marshal(toWireEntry(e))
	if err != nil {
		t.Fatal(err)
	}
	var w wireEntry
	if err := strict(first, &w); err != nil {
		t.Fatalf("%s: %v", first, err)
	}
	again, err := w.entry()
	if err != nil {
		t.Fatalf("%s: %v", first, err)
	}
	second, err := json.Marshal(toWireEntry(again))
	if err != nil || !bytes.Equal(first, second) {
		t.Fatalf("%s\nbecame\n%s, %v", first, second, err)
	}
}

func BenchmarkTrace(b *testing.B) {
	s := whole()
	var entries []*Entry
	rd, err := NewReader(bytes.NewReader(s.trace(b)))
	if err != nil {
		b.Fatal(err)
	}
	for {
		e, err := rd.Next()
		if err != nil {
			break
		}
		entries = append(entries, e)
	}
	w := NewTraceWriter(io.Discard, s.header(), func(err error) { b.Fatal(err) })
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		w.Record(entries[i%len(entries)])
		i++
	}
}
