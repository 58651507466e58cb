package record

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
)

// TraceWriter is the Sink that writes a trace: the header's line, then one
// line of JSON for each entry.
type TraceWriter struct {
	buf    *bufio.Writer
	enc    *json.Encoder
	failed func(error)
	err    error
	opened map[uint16]*Domain // of those that came after the start, what was written
}

// NewTraceWriter begins a trace in w. After the first error that w gives,
// nothing more is written, and failed is told of it, once.
func NewTraceWriter(w io.Writer, h *Header, failed func(error)) *TraceWriter {
	buf := bufio.NewWriterSize(w, 64<<10)
	t := &TraceWriter{buf: buf, enc: json.NewEncoder(buf), failed: failed, opened: map[uint16]*Domain{}}
	t.enc.SetEscapeHTML(false)
	whole := *h
	whole.Format = Format
	t.write(&whole)
	t.Flush()
	return t
}

// Record writes one line; with the first one of a domain goes the domain.
func (t *TraceWriter) Record(e *Entry) {
	w := toWireEntry(e)
	if e.Of != nil && t.opened[e.Domain] != e.Of {
		t.opened[e.Domain], w.Opened = e.Of, e.Of
	}
	if e.Closed {
		delete(t.opened, e.Domain)
	}
	t.write(w)
}

// Flush hands to the file what was gathered.
func (t *TraceWriter) Flush() {
	if t.err == nil {
		t.fail(t.buf.Flush())
	}
}

func (t *TraceWriter) write(v any) {
	if t.err == nil {
		t.fail(t.enc.Encode(v))
	}
}

func (t *TraceWriter) fail(err error) {
	if err != nil {
		t.err = fmt.Errorf("write the trace: %w", err)
		t.failed(t.err)
	}
}
