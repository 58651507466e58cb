package main

import (
	"os"
	"strconv"
	"strings"

	"github.com/lmkd/lmkd/internal/sys"
)

// oomKills gives the kernel's count of processes that its OOM killer killed,
// and what it said about each.
func oomKills() (uint64, []string) {
	return vmstat("oom_kill"), kernelLines("Killed process", "oom_reaper:", "Kernel panic")
}

// vmstat gives one counter of /proc/vmstat, 0 when the kernel has none.
func vmstat(name string) uint64 {
	b, err := os.ReadFile("/proc/vmstat")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			n, err := strconv.ParseUint(strings.TrimSpace(rest), 10, 64)
			if err != nil {
				return 0
			}
			return n
		}
	}
	return 0
}

// kernelLines gives the messages in the kernel's log that have one of words.
func kernelLines(words ...string) []string {
	const most = 40
	fd, e := sys.OpenPath("/dev/kmsg", sys.ReadOnly|sys.NonBlock)
	if e != 0 {
		return nil
	}
	defer func() { _ = fd.Close() }()
	var lines []string
	buf := make([]byte, 8192)
	for len(lines) < most {
		n, e := sys.Read(fd.Int(), buf)
		if e == sys.EPIPE {
			continue // overwritten while we read; the next is there
		}
		if e != 0 || n == 0 {
			break
		}
		lines = appendMatch(lines, string(buf[:n]), words)
	}
	return lines
}

// appendMatch appends the message of one record, "6,339,5140900,-;text\n",
// when it has one of words.
func appendMatch(lines []string, record string, words []string) []string {
	_, text, _ := strings.Cut(record, ";")
	text, _, _ = strings.Cut(text, "\n")
	for _, w := range words {
		if strings.Contains(text, w) {
			return append(lines, text)
		}
	}
	return lines
}
