package record

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// lineLimit is more than any entry needs.
const lineLimit = 4 << 20

// Reader reads a trace.
type Reader struct {
	Header Header

	in   *bufio.Reader
	line int
	cut  bool
	seq  uint64
	// opened are the domains that came after the start.
	opened map[uint16]*Domain
}

// LineError is a line of a trace that can not be read.
type LineError struct {
	Line int
	Err  error
}

func (e *LineError) Error() string { return fmt.Sprintf("trace line %d: %v", e.Line, e.Err) }

func (e *LineError) Unwrap() error { return e.Err }

// NewReader reads the header of a trace. The error is a *LineError, or what r
// gave.
func NewReader(r io.Reader) (*Reader, error) {
	t := &Reader{opened: map[uint16]*Domain{}, in: bufio.NewReaderSize(r, 64<<10)}
	data, err := t.next()
	if err == io.EOF {
		err = &LineError{1, errors.New("the trace is empty")}
	}
	if err != nil {
		return nil, err
	}
	// The version first: a later format may have fields that this one lacks.
	var version struct {
		Format int `json:"lmkd_trace"`
	}
	if err = json.Unmarshal(data, &version); err == nil && version.Format == Format {
		err = strict(data, &t.Header)
	}
	if err == nil {
		t.Header.Format = version.Format
		err = t.Header.check()
	}
	if err != nil {
		return nil, &LineError{t.line, err}
	}
	return t, nil
}

// Next gives the next entry, io.EOF after the last one. Other errors are a
// *LineError, or what the underlying reader gave.
func (t *Reader) Next() (*Entry, error) {
	data, err := t.next()
	if err != nil {
		return nil, err
	}
	e, err := t.decode(data)
	if err == nil {
		t.seq = e.Seq
		t.place(e)
		return e, nil
	}
	if data[len(data)-1] != '\n' {
		// The writer was killed while it wrote: all before it holds.
		t.cut = true
		return nil, io.EOF
	}
	return nil, &LineError{t.line, err}
}

// place tells an entry which domain it is of.
func (t *Reader) place(e *Entry) {
	if e.Of != nil {
		t.opened[e.Domain] = e.Of
	}
	e.Of = t.opened[e.Domain]
	if e.Closed {
		delete(t.opened, e.Domain)
	}
}

// Line gives the number of the line that was read last, from 1.
func (t *Reader) Line() int { return t.line }

// Cut tells, after io.EOF, that the last line was incomplete and left out.
func (t *Reader) Cut() bool { return t.cut }

func (t *Reader) decode(data []byte) (*Entry, error) {
	var w wireEntry
	if err := strict(data, &w); err != nil {
		return nil, err
	}
	e, err := w.entry()
	if err == nil && e.Seq != t.seq+e.Lost+1 {
		err = fmt.Errorf("seq %d follows %d with %d lost", e.Seq, t.seq, e.Lost)
	}
	return e, err
}

// next gives the next line whole, its newline included, if it has one.
func (t *Reader) next() ([]byte, error) {
	t.line++
	var line []byte
	for {
		part, err := t.in.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > lineLimit:
			return nil, &LineError{t.line, fmt.Errorf("longer than %d bytes", lineLimit)}
		case err == bufio.ErrBufferFull:
		case err == io.EOF && len(line) > 0, err == nil:
			return line, nil
		default:
			return nil, err
		}
	}
}

// strict decodes exactly one JSON value without unknown fields.
func strict(data []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return err
	}
	if _, err := dec.Token(); err != io.EOF {
		return errors.New("more than one value in a line")
	}
	return nil
}
