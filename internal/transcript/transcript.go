// Package transcript runs tests that are told as text: each testdata/*.txt is a
// list of inputs with what they led to, indented, below them. A reviewer reads
// the difference; -rewrite accepts it. It is imported by tests alone.
package transcript

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
)

var rewrite = flag.Bool("rewrite", false, "write what happens into testdata instead of comparing")

// Line takes one input, split into words, and writes what it led to.
type Line func(out *Out, words []string) error

// Out gathers what an input led to.
type Out struct{ buf bytes.Buffer }

// Printf writes one line, indented.
func (o *Out) Printf(format string, args ...any) {
	fmt.Fprintf(&o.buf, "    "+format+"\n", args...)
}

// Run plays every testdata/*.txt with a Line of its own from begin. Lines that
// are empty or begin with # are comments, indented ones what was said before.
func Run(t *testing.T, begin func() Line) {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { runFile(t, file, begin()) })
	}
}

func runFile(t *testing.T, file string, line Line) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	Golden(t, file, play(t, string(text), line))
}

// Golden compares got with what file says, and writes it there under -rewrite.
func Golden(t *testing.T, file, got string) {
	t.Helper()
	want, err := os.ReadFile(file)
	if err != nil && !*rewrite {
		t.Fatal(err)
	}
	switch {
	case got == string(want):
	case !*rewrite:
		t.Errorf("%s differs (-rewrite accepts it), %s", file, firstDifference(string(want), got))
	default:
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func play(t *testing.T, text string, line Line) string {
	var out Out
	for n, l := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if strings.HasPrefix(l, " ") {
			continue
		}
		out.buf.WriteString(l + "\n")
		words := strings.Fields(l)
		if len(words) == 0 || strings.HasPrefix(l, "#") {
			continue
		}
		if err := line(&out, words); err != nil {
			t.Fatalf("line %d: %v", n+1, err)
		}
	}
	return out.buf.String()
}

func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(w), len(g)) {
		if w[i] != g[i] {
			return fmt.Sprintf("line %d:\nwant %s\n got %s", i+1, w[i], g[i])
		}
	}
	return fmt.Sprintf("in length: want %d lines, got %d", len(w), len(g))
}

// Assign sets from a word Field=VALUE that field, in the first of the structs
// behind the pointers that has it. Numbers may have a unit, or a plus, which
// adds to what is there; durations are written as Go writes them.
func Assign(word string, into ...any) error {
	key, value, _ := strings.Cut(word, "=")
	for _, p := range into {
		if f := reflect.ValueOf(p).Elem().FieldByName(key); f.IsValid() {
			return set(f, value)
		}
	}
	return fmt.Errorf("no field %q", key)
}

// AssignAll is Assign for each of words.
func AssignAll(words []string, into ...any) error {
	for _, w := range words {
		if err := Assign(w, into...); err != nil {
			return err
		}
	}
	return nil
}

func set(f reflect.Value, value string) error {
	if f.Kind() == reflect.Bool {
		b, err := strconv.ParseBool(value)
		f.SetBool(b)
		return err
	}
	if f.Type() == reflect.TypeFor[time.Duration]() {
		d, err := time.ParseDuration(value)
		f.SetInt(int64(d))
		return err
	}
	if digits, minus := strings.CutPrefix(value, "-"); minus && f.CanInt() {
		n, err := ParseSize(digits)
		f.SetInt(-int64(n))
		return err
	}
	digits, plus := strings.CutPrefix(value, "+")
	n, err := ParseSize(digits)
	if f.CanUint() {
		if plus {
			n += f.Uint()
		}
		f.SetUint(n)
		return err
	}
	f.SetInt(int64(n))
	return err
}

// ParseSize reads a number of bytes as a person writes it: 64MiB.
func ParseSize(s string) (uint64, error) {
	for i, unit := range []string{"KiB", "MiB", "GiB"} {
		if digits, ok := strings.CutSuffix(s, unit); ok {
			n, err := strconv.ParseUint(digits, 10, 64)
			return n << (10 * (i + 1)), err
		}
	}
	return strconv.ParseUint(s, 10, 64)
}
