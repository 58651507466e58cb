package process

import (
	"bytes"
	"errors"
)

// errMalformed is what a parser says of a known field with a value that is none;
// callers add the file's name.
var errMalformed = errors.New("malformed")

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

// signed reads a whole decimal number of at most limit with an optional minus.
func signed(b []byte, limit uint64) (int64, bool) {
	digits, negative := bytes.CutPrefix(b, []byte{'-'})
	n, ok := number(digits)
	if !ok || n > limit {
		return 0, false
	}
	if negative {
		return -int64(n), true
	}
	return int64(n), true
}

// word splits the first word off b: blanks and tabs separate words.
func word(b []byte) (first, rest []byte) {
	i := 0
	for i < len(b) && (b[i] == ' ' || b[i] == '\t') {
		i++
	}
	j := i
	for j < len(b) && b[j] != ' ' && b[j] != '\t' && b[j] != '\n' {
		j++
	}
	return b[i:j], b[j:]
}

// statm is /proc/PID/statm, in pages (fs/proc/array.c, proc_pid_statm).
type statm struct{ size, resident, shared uint64 }

// maxPages keeps sizes in bytes, and sums of them, far from overflow.
const maxPages = 1 << 40

func parseStatm(b []byte) (m statm, err error) {
	for _, into := range [...]*uint64{&m.size, &m.resident, &m.shared} {
		var digits []byte
		digits, b = word(b)
		n, ok := number(digits)
		if !ok || n > maxPages {
			return statm{}, errMalformed
		}
		*into = n
	}
	return m, nil
}

// parseAdj reads /proc/PID/oom_score_adj, -1000 to 1000.
func parseAdj(b []byte) (int16, error) {
	n, ok := signed(bytes.TrimSuffix(b, []byte{'\n'}), 1000)
	if !ok {
		return 0, errMalformed
	}
	return int16(n), nil
}

// parseScore reads /proc/PID/oom_score.
func parseScore(b []byte) (uint64, error) {
	n, ok := number(bytes.TrimSuffix(b, []byte{'\n'}))
	if !ok || n > 1<<20 {
		return 0, errMalformed
	}
	return n, nil
}
