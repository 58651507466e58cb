package process

import (
	"bytes"

	"github.com/lmkd/lmkd/internal/sys"
)

// lines reads one file of a process line by line through a fixed buffer. A line
// that is longer than the buffer is left out: a task in 65,536 groups has a
// "Groups:" of 700 KB in its status.
type lines struct {
	table      *Table // nil: buf holds all there is
	name       string // of the file
	buf        []byte
	start, end int
	off        int64
	last       bool // nothing is left to read
	skip       bool // until the next newline
	errno      sys.Errno
}

// next gives the next line without its newline, valid until the next call;
// false at the end, or when errno is set.
func (l *lines) next() ([]byte, bool) {
	for l.errno == 0 {
		rest := l.buf[l.start:l.end]
		i := bytes.IndexByte(rest, '\n')
		switch {
		case i >= 0:
			l.start += i + 1
			if l.skip {
				l.skip = false
				continue
			}
			return rest[:i], true
		case l.last:
			l.start = l.end
			return rest, len(rest) > 0 && !l.skip
		}
		l.fill()
	}
	return nil, false
}

// fill reads behind what is left of the buffer, and drops a line that fills it.
func (l *lines) fill() {
	l.end = copy(l.buf, l.buf[l.start:l.end])
	l.start = 0
	if l.end == len(l.buf) {
		l.end, l.skip = 0, true
	}
	var n int
	n, l.errno = l.table.file(l.name, l.off, l.buf[l.end:])
	l.last = n < len(l.buf)-l.end
	l.off += int64(n)
	l.end += n
}
