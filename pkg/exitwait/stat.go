package exitwait

import (
	"bytes"
	"strconv"

	"github.com/lmkd/lmkd/internal/sys"
)

// statSize holds a whole stat line: 52 fields of up to 20 digits and a name.
const statSize = 1280

// stat is what a wait needs of /proc/PID/stat (fs/proc/array.c).
type stat struct {
	state    byte   // field 3: R S D T t Z X
	threads  int    // field 20: those not yet reaped, the leader included
	start    uint64 // field 22: clock ticks since boot
	exitCode uint32 // field 52: the wait status, 0 when not permitted
}

// dead reports whether the process has exited and waits to be reaped. A leader
// that died before its threads is Z too, but is not alone.
func (s *stat) dead() bool { return s.state == 'Z' && s.threads == 1 }

// lone reports whether the process lives and has one thread.
func (s *stat) lone() bool { return s.threads == 1 && s.state != 'Z' }

// fleeting reports a state that the next look will not see: the task was being
// released while it was read, either for good or because another thread took
// over its pid in an exec.
func (s *stat) fleeting() bool {
	return s.state == 'X' || s.state == 'x' || s.state == 'Z' && s.threads == 0
}

// readStat reads /proc/PID/stat. ErrGone when there is no such process, a bare
// error number of the kernel else. It does not allocate.
//
// A fleeting state is looked at again: once more meets the task that took the
// pid over, three times in a row means that nobody did.
func readStat(pid int) (stat, error) {
	for range 3 {
		s, err := readStatOnce(pid)
		if err != nil || !s.fleeting() {
			return s, err
		}
	}
	return stat{}, ErrGone
}

func readStatOnce(pid int) (stat, error) {
	var path [40]byte
	var buf [statSize]byte
	name := append(strconv.AppendInt(append(path[:0], "/proc/"...), int64(pid), 10), "/stat\x00"...)
	line, e := sys.ReadFileAt(sys.CWD, name, buf[:])
	switch {
	case e == sys.ENOENT || e == sys.ESRCH:
		return stat{}, ErrGone
	case e != 0:
		return stat{}, e
	}
	s, ok := parseStat(line)
	if !ok {
		return stat{}, sys.EINVAL
	}
	return s, nil
}

// parseStat takes a stat line apart. The name, field 2, is in parentheses and
// may hold anything, parentheses and spaces included: what follows the last ')'
// is the kernel's own.
func parseStat(line []byte) (s stat, ok bool) {
	rest := bytes.TrimRight(line[bytes.LastIndexByte(line, ')')+1:], "\n")
	if len(rest) < 3 || len(rest) == len(line) || rest[0] != ' ' {
		return stat{}, false
	}
	s.state = rest[1]
	field := 3
	for rest = rest[2:]; len(rest) > 1 && rest[0] == ' '; {
		var n uint64
		var digits bool
		n, rest, digits = leadingNumber(rest[1:])
		field++
		switch field {
		case 20:
			s.threads, ok = int(n), digits
		case 22:
			s.start, ok = n, ok && digits
		case 52:
			s.exitCode = uint32(n)
		}
	}
	return s, ok && field >= 22
}

// leadingNumber reads a number up to the next space; a sign is skipped, because
// no field that is kept has one.
func leadingNumber(b []byte) (n uint64, rest []byte, ok bool) {
	i := 0
	if len(b) > 0 && b[0] == '-' {
		i = 1
	}
	for ; i < len(b) && b[i] >= '0' && b[i] <= '9'; i++ {
		n, ok = n*10+uint64(b[i]-'0'), true
	}
	ok = ok && (i == len(b) || b[i] == ' ')
	for i < len(b) && b[i] != ' ' {
		i++
	}
	return n, b[i:], ok
}
