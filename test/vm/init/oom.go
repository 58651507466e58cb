package main

import (
	"os"
	"strconv"
	"strings"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/test/vm/wire"
)

// mostLines is how many of the kernel's lines go to the host.
const mostLines = 20

// noteOOM notes the kernel's count of processes that its OOM killer killed,
// and what it said about each.
func noteOOM(end *wire.End) {
	end.OOMKills = vmstat("oom_kill")
	eachKernelLine(func(line string) {
		if !strings.Contains(line, "ut of memory: Killed process") {
			return
		}
		if strings.HasPrefix(line, "Memory cgroup out of memory") {
			end.Boxed++
		}
		if len(end.OOMLines) < mostLines {
			end.OOMLines = append(end.OOMLines, line)
		}
	})
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

// eachKernelLine calls f with each message in the kernel's log.
func eachKernelLine(f func(line string)) {
	fd, e := sys.OpenPath("/dev/kmsg", sys.ReadOnly|sys.NonBlock)
	if e != 0 {
		return
	}
	defer func() { _ = fd.Close() }()
	buf := make([]byte, 8192)
	for {
		n, e := sys.Read(fd.Int(), buf)
		if e == sys.EPIPE {
			continue // overwritten while we read; the next is there
		}
		if e != 0 || n == 0 {
			return
		}
		f(messageOf(string(buf[:n])))
	}
}

// messageOf takes the message out of a record, "6,339,5140900,-;text\n" and
// then lines of properties.
func messageOf(record string) string {
	_, text, _ := strings.Cut(record, ";")
	text, _, _ = strings.Cut(text, "\n")
	return text
}
