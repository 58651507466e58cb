package memory

import (
	"bytes"
	"fmt"

	"github.com/lmkd/lmkd/internal/sys"
)

// lines reads a file from its start, line by line, through a fixed buffer, so
// that a zoneinfo of hundreds of CPUs needs no more memory than a meminfo.
type lines struct {
	buf        []byte
	start, end int    // the unread part of buf
	fd         int    // -1: buf holds all there is
	off        int64  // where the next read continues
	number     int    // of the line given last, from 1
	name       string // of the file, for errors
	err        error
}

// fileLines begins fd anew, reading through buf.
func fileLines(fd int, name string, buf []byte) lines {
	return lines{buf: buf, fd: fd, name: name}
}

// next gives the next line without its newline, a slice of the buffer that is
// valid until the next call. false is the end of the file or an error in l.err.
func (l *lines) next() ([]byte, bool) {
	for {
		rest := l.buf[l.start:l.end]
		if i := bytes.IndexByte(rest, '\n'); i >= 0 {
			l.start += i + 1
			l.number++
			return rest[:i], true
		}
		if !l.fill() {
			return l.last()
		}
	}
}

// fill moves what is left to the front and reads behind it.
func (l *lines) fill() bool {
	if l.fd < 0 || l.err != nil {
		return false
	}
	l.end = copy(l.buf, l.buf[l.start:l.end])
	l.start = 0
	if l.end == len(l.buf) {
		l.err = fmt.Errorf("parse %s line %d: longer than %d bytes", l.name, l.number+1, len(l.buf))
		return false
	}
	n, e := sys.ReadAt(l.fd, l.buf[l.end:], l.off)
	if e != 0 {
		l.err = &sys.OpError{Doing: "read " + l.name, Errno: e}
		return false
	}
	l.end += n
	l.off += int64(n)
	return n > 0
}

// last gives what stands after the last newline, if anything.
func (l *lines) last() ([]byte, bool) {
	rest := l.buf[l.start:l.end]
	l.start = l.end
	if l.err != nil || len(rest) == 0 {
		return nil, false
	}
	l.number++
	return rest, true
}

// malformed is the error of a known key with a value that is none.
func (l *lines) malformed(line []byte) error {
	return fmt.Errorf("parse %s line %d: no number that fits in %q", l.name, l.number, line)
}

// number reads a whole decimal number.
func number(b []byte) (uint64, bool) {
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

// word splits the first word off b: blanks separate words.
func word(b []byte) (first, rest []byte) {
	i := 0
	for i < len(b) && (b[i] == ' ' || b[i] == '\t') {
		i++
	}
	j := i
	for j < len(b) && b[j] != ' ' && b[j] != '\t' {
		j++
	}
	return b[i:j], b[j:]
}

// product multiplies, false when the result does not fit.
func product(a, b uint64) (uint64, bool) {
	if a != 0 && b > (1<<64-1)/a {
		return 0, false
	}
	return a * b, true
}
