package config

import (
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// position is a place in a file, counted from 1; 0 is not known.
type position struct{ line, column int }

func at(n *yaml.Node) position { return position{n.Line, n.Column} }

// Error is one thing that is wrong in a file.
type Error struct {
	File         string
	Line, Column int    // from 1, 0 when not known
	Key          string // "pressure.thrashing_limit", "" for the file as a whole
	What         string // "150% is out of range: 0% to 100%"
}

// Error gives file:line:column: key: what.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d", e.Line)
	}
	if e.Line > 0 && e.Column > 0 {
		fmt.Fprintf(&b, ":%d", e.Column)
	}
	if e.Key != "" {
		b.WriteString(": " + e.Key)
	}
	return b.String() + ": " + e.What
}

// Errors are all that is wrong in a file, in the order of its lines.
type Errors []*Error

// Error gives one line for each.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i := range e {
		lines[i] = e[i].Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives the single errors to errors.As.
func (e Errors) Unwrap() []error {
	out := make([]error, len(e))
	for i := range e {
		out[i] = e[i]
	}
	return out
}

func (e Errors) orNil() error {
	if len(e) == 0 {
		return nil
	}
	return e
}

func (e Errors) sorted() error {
	if len(e) == 0 {
		return nil
	}
	slices.SortStableFunc(e, func(a, b *Error) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	return e
}

// nearest gives the known key or section that is most like name: the one with
// the fewest letters to change, where another section counts as four of them
// unless the word is right but for one.
func nearest(section, name string) string {
	best, least := "", 1<<30
	for _, known := range append(sections(), Keys()...) {
		under, leaf := split(known)
		d := distance(name, leaf)
		if under != section && d > 1 {
			d += 4
		}
		if d < least {
			best, least = known, d
		}
	}
	return best
}

// split cuts a key into its section and its last word.
func split(path string) (section, leaf string) {
	if i := strings.LastIndexByte(path, '.'); i >= 0 {
		return path[:i], path[i+1:]
	}
	return "", path
}

// distance is Levenshtein's, of words cut to a length that no key has.
func distance(a, b string) int {
	a = a[:min(len(a), 64)]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
