package process

import "bytes"

// The bits of a task's flags (include/linux/sched.h).
const (
	flagExiting = 0x00000004 // PF_EXITING
	flagKernel  = 0x00200000 // PF_KTHREAD
)

// stat is what matters of /proc/PID/stat (fs/proc/array.c, do_task_stat):
// "PID (NAME) STATE PPID …". The name is raw: it may hold blanks, newlines,
// and ") Z 1 (".
type stat struct {
	name      []byte // a slice of what was parsed
	state     byte
	ppid      int32
	group     int32
	session   int32
	flags     uint64
	majflt    uint64
	threads   int32
	startTime uint64 // clock ticks since boot
}

// is reports whether the task has one of the flags.
func (s *stat) is(flag uint64) bool { return s.flags&flag != 0 }

// dead reports whether the task is a zombie or past it.
func (s *stat) dead() bool { return s.state == 'Z' || s.state == 'X' }

// The numbers of the fields as proc(5) counts them; STATE is the third.
const (
	fieldState     = 3
	fieldPPID      = 4
	fieldGroup     = 5
	fieldSession   = 6
	fieldFlags     = 9
	fieldMajflt    = 12
	fieldThreads   = 20
	fieldStartTime = 22
)

// parseStat takes the line apart behind its last ")": nothing but numbers and
// one letter follows the name.
func parseStat(b []byte) (s stat, err error) {
	first, last := bytes.IndexByte(b, '('), bytes.LastIndexByte(b, ')')
	if first < 0 || last < first {
		return stat{}, errMalformed
	}
	s.name = b[first+1 : last]
	b = b[last+1:]
	for field := fieldState; field <= fieldStartTime; field++ {
		var text []byte
		text, b = word(b)
		if !s.set(field, text) {
			return stat{}, errMalformed
		}
	}
	return s, nil
}

// set stores one field; false is a field with a value that is none.
func (s *stat) set(field int, text []byte) (ok bool) {
	switch field {
	case fieldState:
		ok = len(text) == 1
		if ok {
			s.state = text[0]
		}
	case fieldPPID:
		s.ppid, ok = count(text)
	case fieldGroup:
		s.group, ok = count(text)
	case fieldSession:
		s.session, ok = count(text)
	case fieldFlags:
		s.flags, ok = number(text)
	case fieldMajflt:
		s.majflt, ok = number(text)
	case fieldThreads:
		s.threads, ok = count(text)
	case fieldStartTime:
		s.startTime, ok = number(text)
	default:
		ok = len(text) > 0
	}
	return ok
}

// count reads a number that fits a pid.
func count(text []byte) (int32, bool) {
	n, ok := number(text)
	return int32(n), ok && n < 1<<31
}
