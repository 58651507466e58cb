package psi

import (
	"bytes"
	"errors"
	"fmt"
)

// BufferSize is enough for any pressure file: two lines of at most 74 bytes.
const BufferSize = 256

// Line is one line of a pressure file: the share of time in which tasks were
// stalled, and the sum of it.
type Line struct {
	Avg10  uint32 // over the last 10 seconds, in hundredths of a percent
	Avg60  uint32 // over the last 60 seconds, in hundredths of a percent
	Avg300 uint32 // over the last 300 seconds, in hundredths of a percent
	Total  uint64 // since boot, in microseconds
}

// Pressure is one pressure file at one instant. Absent is not zero: cpu files
// before Linux 5.13 have no full line, and irq files have no some line.
type Pressure struct {
	Some    Line // at least one task was stalled
	Full    Line // all tasks that were not idle were stalled at once
	HasSome bool
	HasFull bool
}

// Parse takes a whole pressure file apart, without allocating:
//
//	some avg10=0.22 avg60=0.17 avg300=1.11 total=58761459
//	full avg10=0.00 avg60=0.00 avg300=0.03 total=8123
//
// Lines and keys that it does not know are ignored. A known line that lacks a
// key, holds anything but a number, or does not end in a newline (a read that
// was cut) is an error.
func Parse(file []byte) (Pressure, error) {
	var p Pressure
	for n := 1; len(file) > 0; n++ {
		text, rest, whole := bytes.Cut(file, []byte{'\n'})
		file = rest
		line, has := p.slot(text)
		if line == nil {
			continue
		}
		if !whole {
			return Pressure{}, fmt.Errorf("parse pressure line %d: cut after %q", n, text)
		}
		if err := parseLine(text[len("some "):], line); err != nil {
			return Pressure{}, fmt.Errorf("parse pressure line %d: %w", n, err)
		}
		*has = true
	}
	if !p.HasSome && !p.HasFull {
		return Pressure{}, errors.New("parse pressure: neither a some nor a full line")
	}
	return p, nil
}

// slot says where the line that begins text belongs, nil for an unknown one.
func (p *Pressure) slot(text []byte) (*Line, *bool) {
	switch {
	case bytes.HasPrefix(text, []byte("some ")):
		return &p.Some, &p.HasSome
	case bytes.HasPrefix(text, []byte("full ")):
		return &p.Full, &p.HasFull
	}
	return nil, nil
}

const (
	seen10 = 1 << iota
	seen60
	seen300
	seenTotal
	seenAll = seen10 | seen60 | seen300 | seenTotal
)

func parseLine(text []byte, l *Line) error {
	seen := 0
	for len(text) > 0 {
		var field []byte
		field, text, _ = bytes.Cut(text, []byte{' '})
		key, value, _ := bytes.Cut(field, []byte{'='})
		bit, ok := l.set(key, value)
		if !ok {
			return fmt.Errorf("%q is no number that fits", field)
		}
		seen |= bit
	}
	if seen != seenAll {
		return errors.New("one of avg10, avg60, avg300 and total is missing")
	}
	return nil
}

// set stores one field: which key it was (0 for an unknown one) and whether the
// value was well formed.
func (l *Line) set(key, value []byte) (bit int, ok bool) {
	switch string(key) {
	case "avg10":
		l.Avg10, ok = hundredths(value)
		return seen10, ok
	case "avg60":
		l.Avg60, ok = hundredths(value)
		return seen60, ok
	case "avg300":
		l.Avg300, ok = hundredths(value)
		return seen300, ok
	case "total":
		l.Total, ok = decimal(value)
		return seenTotal, ok
	}
	return 0, true
}

// hundredths reads "12.34" as 1234: the kernel prints %lu.%02lu.
func hundredths(b []byte) (uint32, bool) {
	whole, part, dot := bytes.Cut(b, []byte{'.'})
	w, ok := decimal(whole)
	if !ok || !dot || len(part) != 2 || w > 10_000_000 {
		return 0, false
	}
	f, ok := decimal(part)
	return uint32(w*100 + f), ok
}

func decimal(b []byte) (uint64, bool) {
	var n uint64
	for _, c := range b {
		d := uint64(c - '0')
		if d > 9 || n > (1<<64-1-d)/10 {
			return 0, false
		}
		n = n*10 + d
	}
	return n, len(b) > 0
}
