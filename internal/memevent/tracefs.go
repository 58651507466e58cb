package memevent

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

// victimOffset gives the offset of the pid in the formatted event mark_victim,
// as the tracefs below root tells it.
func victimOffset(root string) (int16, error) {
	const doing = "find the pid of the OOM killer's victims"
	dir, err := tracefs(root)
	if err != nil {
		return 0, &Error{Doing: doing, Cure: cureTracefs, Err: err}
	}
	text, err := os.ReadFile(filepath.Join(dir, "events/oom/mark_victim/format"))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, &Error{Doing: doing, Cure: cureNoEvent, Err: err}
	}
	if err != nil {
		return 0, explain(doing, err)
	}
	f, err := parseField(text, "pid")
	if err != nil {
		return 0, &Error{Doing: doing, Cure: cureFormat, Err: err}
	}
	if f.size != 4 || f.offset%4 != 0 {
		return 0, &Error{Doing: doing, Cure: cureFormat, Err: fmt.Errorf("pid has %d bytes at %d", f.size, f.offset)}
	}
	return f.offset, nil
}

// tracefs gives the directory where tracefs is mounted, below root, as
// /proc/self/mountinfo has it (proc_pid_mountinfo(5)).
func tracefs(root string) (string, error) {
	text, err := os.ReadFile(filepath.Join(root, "proc/self/mountinfo"))
	if err != nil {
		return "", err
	}
	for line := range bytes.Lines(text) {
		mount, kind, _ := bytes.Cut(line, []byte(" - "))
		fields := bytes.Fields(mount)
		if len(fields) >= 5 && bytes.HasPrefix(kind, []byte("tracefs ")) && string(fields[3]) == "/" {
			return filepath.Join(root, unescape(fields[4])), nil
		}
	}
	return "", errors.New("tracefs is not mounted")
}

// unescape undoes the \040 that mountinfo writes for a blank and its like.
func unescape(path []byte) string {
	var out []byte
	for i := 0; i < len(path); i++ {
		if path[i] == '\\' && i+3 < len(path) {
			if c, err := strconv.ParseUint(string(path[i+1:i+4]), 8, 8); err == nil {
				out = append(out, byte(c))
				i += 3
				continue
			}
		}
		out = append(out, path[i])
	}
	return string(out)
}

// field is one line of an event's format file:
//
//	field:int pid;	offset:8;	size:4;	signed:1;
type field struct{ offset, size int16 }

// parseField finds the field called name in an event's format file
// (Documentation/trace/events.rst, "Event formats").
func parseField(format []byte, name string) (field, error) {
	for line := range bytes.Lines(format) {
		decl, rest, _ := bytes.Cut(bytes.TrimSpace(line), []byte{';'})
		if !bytes.HasPrefix(decl, []byte("field:")) || !bytes.HasSuffix(decl, []byte(" "+name)) {
			continue
		}
		var f field
		var err error
		if f.offset, err = number(rest, "offset:"); err != nil {
			return field{}, fmt.Errorf("parse event field %s: %w", name, err)
		}
		if f.size, err = number(rest, "size:"); err != nil {
			return field{}, fmt.Errorf("parse event field %s: %w", name, err)
		}
		return f, nil
	}
	return field{}, fmt.Errorf("parse event format: no field %s", name)
}

func number(text []byte, key string) (int16, error) {
	_, after, found := bytes.Cut(text, []byte(key))
	value, _, ended := bytes.Cut(after, []byte{';'})
	if !found || !ended {
		return 0, fmt.Errorf("no %s", key)
	}
	n, err := strconv.ParseUint(string(value), 10, 15)
	if err != nil {
		return 0, fmt.Errorf("%s%s is no offset", key, value)
	}
	return int16(n), nil
}
