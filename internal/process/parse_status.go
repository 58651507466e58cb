package process

import "bytes"

// status is what matters of /proc/PID/status (fs/proc/array.c). Sizes are
// bytes; those of a task without memory are absent there and 0 here.
type status struct {
	tgid, tracer               int32
	threads                    int32
	uid                        uint32 // the real one
	anon, file, shmem          uint64
	swap, locked, huge, tables uint64
	coreDumping                bool
	killed                     bool // SIGKILL is pending, for the thread or the group
	initOfNS                   bool // pid 1 of the innermost of several pid namespaces
}

// set stores one line; false is a known key with a value that is none.
func (s *status) set(line []byte) bool {
	colon := bytes.IndexByte(line, ':')
	if colon < 0 {
		return true
	}
	key, value := line[:colon], line[colon+1:]
	if into := s.size(key); into != nil {
		n, ok := kilobytes(value)
		*into = n
		return ok
	}
	return s.setFact(key, value)
}

// size says where a size belongs, nil for what is none.
func (s *status) size(key []byte) *uint64 {
	switch string(key) {
	case "RssAnon":
		return &s.anon
	case "RssFile":
		return &s.file
	case "RssShmem":
		return &s.shmem
	case "VmSwap":
		return &s.swap
	case "VmLck":
		return &s.locked
	case "HugetlbPages":
		return &s.huge
	case "VmPTE":
		return &s.tables
	}
	return nil
}

func (s *status) setFact(key, value []byte) (ok bool) {
	first, rest := word(value)
	switch string(key) {
	case "Tgid":
		s.tgid, ok = count(first)
	case "TracerPid":
		s.tracer, ok = count(first)
	case "Threads":
		s.threads, ok = count(first)
	case "Uid":
		var n uint64
		n, ok = number(first)
		s.uid, ok = uint32(n), ok && n < 1<<32
	case "CoreDumping":
		s.coreDumping, ok = string(first) == "1", len(first) == 1
	case "SigPnd", "ShdPnd":
		ok = s.setPending(first)
	case "NSpid":
		ok = s.setNamespaces(first, rest)
	default:
		ok = true
	}
	return ok
}

// setPending looks for SIGKILL, the bit 8, in a mask of 16 hexadecimal digits
// (8 where the kernel has 32 signals).
func (s *status) setPending(mask []byte) bool {
	if len(mask) < 8 {
		return false
	}
	for _, c := range mask {
		if _, ok := hexDigit(c); !ok {
			return false
		}
	}
	digit, _ := hexDigit(mask[len(mask)-3])
	s.killed = s.killed || digit&1 != 0
	return true
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	}
	return 0, false
}

// setNamespaces takes the pids of a process in its pid namespaces, the outer
// ones first.
func (s *status) setNamespaces(first, rest []byte) bool {
	pid, ok := count(first)
	depth := 1
	for ok {
		var next []byte
		if next, rest = word(rest); len(next) == 0 {
			break
		}
		pid, ok = count(next)
		depth++
	}
	s.initOfNS = ok && depth > 1 && pid == 1
	return ok
}

// kilobytes reads "	    1712 kB" as bytes.
func kilobytes(b []byte) (uint64, bool) {
	digits, unit := word(b)
	n, ok := number(digits)
	unit, _ = word(unit)
	return n << 10, ok && n <= maxPages && string(unit) == "kB"
}

// cgroupPath gives the path on a line of /proc/PID/cgroup, "ID:CONTROLLERS:PATH",
// when it is the one that memory is charged to: v1's memory controller, else
// the only hierarchy of v2, "0::PATH". memory tells which.
func cgroupPath(line []byte) (path []byte, memory, ok bool) {
	id, rest, ok1 := bytes.Cut(line, []byte{':'})
	controllers, path, ok2 := bytes.Cut(rest, []byte{':'})
	if _, isNumber := number(id); !ok1 || !ok2 || !isNumber {
		return nil, false, false
	}
	for more := true; more; {
		var c []byte
		c, controllers, more = bytes.Cut(controllers, []byte{','})
		if string(c) == "memory" {
			return path, true, true
		}
	}
	if string(id) == "0" {
		return path, false, true
	}
	return nil, false, true
}
