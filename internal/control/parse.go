package control

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// parseStatus takes the thread group and the real uid out of /proc/PID/status
// (Documentation/filesystems/proc.rst): the lines "Tgid:\t4242" and
// "Uid:\t10036\t10036\t10036\t10036", of which the first is the real one. A name
// cannot pass for a line: the kernel escapes its newlines.
func parseStatus(b []byte) (tgid int32, uid uint32, err error) {
	t, err := field(b, "\nTgid:")
	if err != nil {
		return 0, 0, err
	}
	u, err := field(b, "\nUid:")
	if err != nil {
		return 0, 0, err
	}
	if t > 1<<31-1 {
		return 0, 0, fmt.Errorf("thread group %d is no pid", t)
	}
	return int32(t), uint32(u), nil
}

var errField = errors.New("no such line")

// field gives the first number of a line.
func field(b []byte, name string) (uint64, error) {
	at := bytes.Index(b, []byte(name))
	if at < 0 {
		return 0, fmt.Errorf("%s %w", name[1:], errField)
	}
	rest := bytes.TrimLeft(b[at+len(name):], " \t")
	end := bytes.IndexAny(rest, " \t\n")
	if end < 0 {
		end = len(rest)
	}
	n, err := strconv.ParseUint(string(rest[:end]), 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%s %w", name[1:], err)
	}
	return n, nil
}

// parseAdj reads /proc/PID/oom_score_adj.
func parseAdj(b []byte) (int16, error) {
	n, err := strconv.ParseInt(string(bytes.TrimSpace(b)), 10, 16)
	if err != nil || n < -1000 || n > 1000 {
		return 0, fmt.Errorf("oom_score_adj %q is none", b)
	}
	return int16(n), nil
}
