package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
)

// matcher chooses processes by what they are. Its regular expressions are RE2's
// and match anywhere unless anchored.
type matcher struct {
	comm, cmdline, uid string

	commRE, cmdlineRE *regexp.Regexp
	uidN              int // -1: any
}

func (m *matcher) flags(f *pflag.FlagSet) {
	f.StringVar(&m.comm, "comm", "", "processes whose name matches this regular expression")
	f.StringVar(&m.cmdline, "cmdline", "", "processes whose command line matches this regular expression")
	f.StringVar(&m.uid, "uid", "", "processes of this real user id")
}

func (m *matcher) empty() bool { return m.comm == "" && m.cmdline == "" && m.uid == "" }

// compile reads the flags.
func (m *matcher) compile() (err error) {
	if m.comm != "" {
		if m.commRE, err = regexp.Compile(m.comm); err != nil {
			return fmt.Errorf("--comm: %w", err)
		}
	}
	if m.cmdline != "" {
		if m.cmdlineRE, err = regexp.Compile(m.cmdline); err != nil {
			return fmt.Errorf("--cmdline: %w", err)
		}
	}
	m.uidN = -1
	if m.uid != "" {
		n, err := strconv.ParseUint(m.uid, 10, 32)
		if err != nil {
			return fmt.Errorf("--uid %s: not a user id", m.uid)
		}
		m.uidN = int(n)
	}
	return nil
}

// traits are what a matcher looks at.
type traits struct {
	comm, cmdline string
	uid           int // -1: not known
}

func (m *matcher) matches(t *traits) bool {
	return (m.commRE == nil || m.commRE.MatchString(t.comm)) &&
		(m.cmdlineRE == nil || m.cmdlineRE.MatchString(t.cmdline)) &&
		(m.uidN < 0 || m.uidN == t.uid)
}

// find gives the pids below root that match, in order, without our own.
func (m *matcher) find(root string) ([]int, error) {
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil, fmt.Errorf("look for processes: %w", err)
	}
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		if t, ok := readTraits(root, pid); ok && m.matches(&t) {
			pids = append(pids, pid)
		}
	}
	sort.Ints(pids)
	return pids, nil
}

// readTraits reads what a process is; false when it has gone.
func readTraits(root string, pid int) (traits, bool) {
	dir := filepath.Join(root, strconv.Itoa(pid))
	comm, err := os.ReadFile(filepath.Join(dir, "comm"))
	if err != nil {
		return traits{}, false
	}
	cmdline, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
	status, _ := os.ReadFile(filepath.Join(dir, "status"))
	return traits{
		comm:    strings.TrimSuffix(string(comm), "\n"),
		cmdline: strings.ReplaceAll(strings.TrimRight(string(cmdline), "\x00"), "\x00", " "),
		uid:     parseUID(status),
	}, true
}

// parseUID finds the real user id in a status file, -1 when there is none.
func parseUID(status []byte) int {
	_, rest, ok := bytes.Cut(status, []byte("\nUid:\t"))
	if !ok {
		return -1
	}
	text, _, _ := bytes.Cut(rest, []byte("\t"))
	n, err := strconv.Atoi(string(text))
	if err != nil {
		return -1
	}
	return n
}

// commOf gives the name of a process, "?" when it has gone, fit for a terminal.
func commOf(pid int) string {
	t, ok := readTraits("/proc", pid)
	if !ok {
		return "?"
	}
	return printable(t.comm)
}

// printable makes a name that may hold any byte fit for a terminal.
func printable(name string) string {
	quoted := strconv.Quote(name)
	if quoted == `"`+name+`"` {
		return name
	}
	return quoted
}

// writeJSON writes v on a line of its own.
func writeJSON(w io.Writer, v any) error {
	if err := json.NewEncoder(w).Encode(v); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}
