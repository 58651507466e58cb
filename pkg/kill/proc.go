package kill

import (
	"bytes"
	"strconv"

	"github.com/lmkd/lmkd/internal/sys"
)

// procDir opens /proc/PID. What is read through the descriptor is about the
// process that had the pid then, and ESRCH once it is reaped: never a stranger.
func procDir(pid int) (sys.FD, sys.Errno) {
	path := append(strconv.AppendInt([]byte("/proc/"), int64(pid), 10), 0)
	fd, e := sys.OpenAt(sys.CWD, path, sys.ReadOnly|sys.Directory)
	if e == sys.ENOENT {
		e = sys.ESRCH
	}
	return fd, e
}

// pidOf gives the pid behind pidfd in our pid namespace, from its fdinfo
// (Linux 5.3): -1 once the process is reaped, 0 when it is none of ours.
func pidOf(pidfd int) (int, sys.Errno) {
	var buf [512]byte
	path := append(strconv.AppendInt([]byte("/proc/self/fdinfo/"), int64(pidfd), 10), 0)
	text, e := sys.ReadFileAt(sys.CWD, path, buf[:])
	if e != 0 {
		return 0, e
	}
	pid, ok := parseFdinfo(text)
	if !ok {
		return 0, sys.EBADF
	}
	return pid, 0
}

// parseFdinfo takes the pid from the lines of a pidfd's fdinfo ("Pid:\t4711").
func parseFdinfo(text []byte) (pid int, ok bool) {
	for line := range bytes.Lines(text) {
		if rest, found := bytes.CutPrefix(line, []byte("Pid:")); found {
			n, err := strconv.Atoi(string(bytes.TrimSpace(rest)))
			return n, err == nil
		}
	}
	return 0, false
}

// stat is what a kill needs of /proc/PID/stat and of its threads' (proc(5)).
type stat struct {
	state   byte // R S D T t Z X I
	parent  int
	flags   uint64 // PF_ of include/linux/sched.h
	threads int
	start   uint64 // clock ticks since boot
}

// The task flags that tell of a death.
const (
	taskExiting = 0x4   // PF_EXITING: the thread is in do_exit
	taskDumping = 0x200 // PF_DUMPCORE: it writes a core
)

// readStat reads a stat file below dir, "stat" or "task/TID/stat".
func readStat(dir int, path string) (stat, sys.Errno) {
	var buf [1280]byte
	text, e := readAt(dir, path, buf[:])
	if e != 0 {
		return stat{}, e
	}
	s, ok := parseStat(text)
	if !ok {
		return stat{}, sys.EINVAL
	}
	return s, 0
}

// readAt reads a small file below dir. ESRCH: it belonged to what is gone.
func readAt(dir int, path string, buf []byte) ([]byte, sys.Errno) {
	text, e := sys.ReadFileAt(dir, append([]byte(path), 0), buf)
	if e == sys.ENOENT {
		e = sys.ESRCH
	}
	return text, e
}

// parseStat takes a stat line apart. The name, field 2, may hold anything: what
// follows the last ')' is the kernel's own.
func parseStat(line []byte) (s stat, ok bool) {
	field := bytes.Fields(line[bytes.LastIndexByte(line, ')')+1:])
	if len(field) < 20 || len(field[0]) != 1 || !bytes.ContainsRune(line, ')') {
		return stat{}, false
	}
	s.state = field[0][0]
	n := [4]uint64{}
	for i, at := range [...]int{4, 9, 20, 22} {
		v, err := strconv.ParseUint(string(field[at-3]), 10, 64)
		if err != nil {
			return stat{}, false
		}
		n[i] = v
	}
	s.parent, s.flags, s.threads, s.start = int(n[0]), n[1], int(n[2]), n[3]
	return s, true
}

// status is what a kill needs of /proc/PID/status.
type status struct {
	tracer  int
	dumping bool
	killed  bool // SIGKILL waits to be taken: the thread will never see user space again
	inner   int  // the pid in the innermost namespace
	nested  bool // that is not ours
}

func readStatus(dir int, path string) (status, sys.Errno) {
	var buf [4096]byte
	text, e := readAt(dir, path, buf[:])
	if e != 0 {
		return status{}, e
	}
	return parseStatus(text), 0
}

// parseStatus reads the lines that it knows; a line that a kernel lacks leaves
// its zero value.
func parseStatus(text []byte) (s status) {
	for line := range bytes.Lines(text) {
		key, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch string(key) {
		case "TracerPid":
			s.tracer, _ = strconv.Atoi(string(value))
		case "CoreDumping": // Linux 4.15
			s.dumping = string(value) == "1"
		case "SigPnd", "ShdPnd":
			mask, err := strconv.ParseUint(string(value), 16, 64)
			s.killed = s.killed || err == nil && mask>>(sys.SIGKILL-1)&1 == 1
		case "NSpid": // Linux 4.1
			pids := bytes.Fields(value)
			if len(pids) > 0 {
				s.inner, _ = strconv.Atoi(string(pids[len(pids)-1]))
			}
			s.nested = len(pids) > 1
		}
	}
	return s
}

// statm is /proc/PID/statm, in pages.
type statm struct{ size, resident, shared uint64 }

// readStatm reads a statm file below dir; false when there is no address space
// behind it any more.
func readStatm(dir int, path string) (statm, bool) {
	var buf [128]byte
	text, e := readAt(dir, path, buf[:])
	if e != 0 {
		return statm{}, false
	}
	m, ok := parseStatm(text)
	return m, ok && m.size > 0
}

// parseStatm takes the first three numbers.
func parseStatm(text []byte) (m statm, ok bool) {
	field := bytes.Fields(text)
	if len(field) < 3 {
		return m, false
	}
	for i, n := range []*uint64{&m.size, &m.resident, &m.shared} {
		v, err := strconv.ParseUint(string(field[i]), 10, 64)
		if err != nil {
			return statm{}, false
		}
		*n = v
	}
	return m, true
}

// eachNumber calls f with every name of the directory path below dir that is a
// number, until f is false.
func eachNumber(dir int, path string, f func(n int) bool) sys.Errno {
	fd, e := sys.OpenAt(dir, append([]byte(path), 0), sys.ReadOnly|sys.Directory)
	if e != 0 {
		return e
	}
	defer func() { _ = fd.Close() }()
	buf := make([]byte, 8192)
	for {
		n, e := sys.Getdents(fd.Int(), buf)
		if e != 0 || n <= 0 {
			return e
		}
		var name []byte
		for rest := buf[:n]; len(rest) > 0; {
			if name, rest = sys.NextDirent(rest); name == nil {
				break
			}
			if id, err := strconv.Atoi(string(name)); err == nil && !f(id) {
				return 0
			}
		}
	}
}
