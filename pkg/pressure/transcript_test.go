package pressure_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lmkd/lmkd/pkg/pressure"
)

var rewrite = flag.Bool("rewrite", false, "write what the judge says into testdata instead of comparing")

// TestTranscripts runs testdata/*.txt. A line is
//
//	# text                  a comment
//	policy PROFILE K=V ...  a new judge: linux or android, then fields of Policy
//	set K=V ...             changes the sample, which is kept from line to line
//	+DURATION [K=V ...]     lets time pass, changes the sample and judges it
//	killed                  tells the judge that its verdict led to a kill
//	explain                 asks for the last verdict's explanation
//
// What the judge says follows, indented, and is compared. K is a field of
// Policy, Memory, Counters, Watermarks or Stall, or one of event, kswapd, direct
// (for how long a task has been in direct reclaim), events (whether reclaim
// events are known) and has. Numbers take KiB, MiB, GiB and +N, which adds to
// what was there.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(want))
			if bytes.Equal(got, want) {
				return
			}
			if *rewrite {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			t.Errorf("%s differs (-rewrite to accept):\n%s", file, firstDifference(string(want), string(got)))
		})
	}
}

func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(w), len(g)) {
		if w[i] != g[i] {
			return fmt.Sprintf("line %d\nwant %s\n got %s", i+1, w[i], g[i])
		}
	}
	return fmt.Sprintf("want %d lines, got %d", len(w), len(g))
}

// scene is a transcript under way.
type scene struct {
	policy pressure.Policy
	state  pressure.State
	sample pressure.Sample
	in     pressure.Input
	direct time.Duration
	last   pressure.Verdict
}

func play(t *testing.T, text string) []byte {
	var out bytes.Buffer
	s := &scene{}
	for n, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if strings.HasPrefix(line, " ") {
			continue // what was said the last time
		}
		fmt.Fprintln(&out, line)
		if err := s.line(&out, line); err != nil {
			t.Fatalf("line %d: %v", n+1, err)
		}
	}
	return out.Bytes()
}

func (s *scene) line(out *bytes.Buffer, line string) error {
	words := strings.Fields(line)
	switch {
	case len(words) == 0 || words[0] == "#":
		return nil
	case words[0] == "policy":
		*s = scene{policy: map[string]pressure.Policy{"linux": pressure.Linux(), "android": pressure.Android()}[words[1]]}
		s.sample.Has = pressure.HasAvailable | pressure.HasWatermarks | pressure.HasStall | pressure.HasRefault
		return assignAll(words[2:], reflect.ValueOf(&s.policy).Elem())
	case words[0] == "killed":
		s.state.Killed(&s.policy, &s.last)
		return nil
	case words[0] == "explain":
		for _, l := range s.last.Explain(&s.policy) {
			fmt.Fprintln(out, "    "+l)
		}
		return nil
	case words[0] == "set":
		return s.set(words[1:])
	}
	return s.judge(out, words)
}

func (s *scene) judge(out *bytes.Buffer, words []string) error {
	step, err := time.ParseDuration(words[0])
	if err != nil {
		return err
	}
	s.sample.At += step
	s.in.Event = pressure.LevelNone
	if err := s.set(words[1:]); err != nil {
		return err
	}
	s.in.Sample = &s.sample
	if s.in.Reclaim.DirectSince = 0; s.direct > 0 {
		s.in.Reclaim.DirectSince = s.sample.At - s.direct
	}
	s.last = pressure.Judge(&s.policy, &s.state, &s.in)
	f := &s.last.Facts
	switch {
	case s.last.Act:
		fmt.Fprintf(out, "    %v (%d), min adj %d: %s\n", s.last.Reason, s.last.Reason, s.last.MinAdj, s.last.Because(&s.policy))
	case !f.Pressed:
		fmt.Fprintln(out, "    nothing: no pressure")
	case f.Plenty:
		fmt.Fprintln(out, "    nothing: plenty is available")
	default:
		fmt.Fprintln(out, "    nothing: no rule holds")
	}
	fmt.Fprintf(out, "    | %v, thrashing %d of %d, free swap %d of %d MiB, swap util %d, armed %v\n", f.Mark,
		f.Thrashing, f.Limit, f.SwapFree>>20, f.SwapTotal>>20, f.SwapUtil, f.CheckCache)
	return nil
}

// set changes the sample, or what is known beside it.
func (s *scene) set(words []string) error {
	for _, word := range words {
		key, value, _ := strings.Cut(word, "=")
		var err error
		switch key {
		case "event":
			s.in.Event, err = parseLevel(value)
		case "kswapd":
			s.in.Reclaim.Kswapd, err = strconv.ParseBool(value)
		case "direct":
			s.direct, err = time.ParseDuration(value)
			s.in.Reclaim.Direct = s.direct > 0
		case "events":
			s.in.Reclaim.Known, err = strconv.ParseBool(value)
		case "has":
			var has uint64
			has, err = strconv.ParseUint(value, 0, 32)
			s.sample.Has = pressure.Has(has)
		default:
			err = assign(word, reflect.ValueOf(&s.sample.Memory).Elem(), reflect.ValueOf(&s.sample.Counters).Elem(),
				reflect.ValueOf(&s.sample.Watermarks).Elem(), reflect.ValueOf(&s.sample.Stall).Elem())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func parseLevel(name string) (pressure.Level, error) {
	for l := pressure.LevelNone; l <= pressure.LevelCritical; l++ {
		if l.String() == name {
			return l, nil
		}
	}
	return 0, fmt.Errorf("no level %q", name)
}

func assignAll(words []string, into reflect.Value) error {
	for _, word := range words {
		if err := assign(word, into); err != nil {
			return err
		}
	}
	return nil
}

// assign sets the field named in word in the first of the structs that has it.
func assign(word string, into ...reflect.Value) error {
	key, value, _ := strings.Cut(word, "=")
	for _, v := range into {
		f := v.FieldByName(key)
		if !f.IsValid() {
			continue
		}
		if d, err := time.ParseDuration(value); err == nil && f.Type() == reflect.TypeFor[time.Duration]() {
			f.SetInt(int64(d))
			return nil
		}
		if f.Kind() == reflect.Bool {
			b, err := strconv.ParseBool(value)
			f.SetBool(b)
			return err
		}
		n, err := parseNumber(strings.TrimPrefix(value, "+"))
		if f.CanUint() {
			if value[0] == '+' {
				n += f.Uint()
			}
			f.SetUint(n)
			return err
		}
		f.SetInt(int64(n))
		return err
	}
	return fmt.Errorf("no field %q", key)
}

func parseNumber(s string) (uint64, error) {
	for i, unit := range []string{"KiB", "MiB", "GiB"} {
		if digits, ok := strings.CutSuffix(s, unit); ok {
			n, err := strconv.ParseUint(digits, 10, 64)
			return n << (10 * (i + 1)), err
		}
	}
	return strconv.ParseUint(s, 10, 64)
}
