package exitwait

import (
	"strconv"

	"github.com/lmkd/lmkd/internal/sys"
)

// Exit says how a process ended. The zero value means "ended, how is not
// known", which is not an exit with code 0.
type Exit struct {
	// Known is true when the kernel told the status. To a process that is
	// not the parent it does so for a zombie that it may inspect, through
	// a pidfd even after the reaping (Linux 6.15), to a tracer, and in exit
	// events. Before Linux 5.17 a zombie's code 0 may be that of a leader
	// thread that left before the others, so that it is believed only of a
	// process that had one thread when it was opened.
	Known bool

	// Status is the wait status as wait(2) encodes it; 0 unless Known.
	Status uint32
}

// Code gives the exit code, 0 to 255; -1 when a signal ended the process or
// the status is not known.
func (e Exit) Code() int {
	if !e.Known || e.Status&0x7f != 0 {
		return -1
	}
	return int(e.Status>>8) & 0xff
}

// Signal gives the number of the signal that ended the process; 0 when none
// did or the status is not known.
func (e Exit) Signal() int { return int(e.Status & 0x7f) }

// SignalName gives the name of that signal, "SIGKILL"; "" when there is none.
func (e Exit) SignalName() string {
	if e.Signal() == 0 {
		return ""
	}
	return signalName(e.Signal())
}

// CoreDumped reports whether the process left a core dump.
func (e Exit) CoreDumped() bool { return e.Status&0x80 != 0 }

// String gives the exit in words: "exit code 3", "killed by SIGSEGV (core
// dumped)", "exit status not known".
func (e Exit) String() string {
	switch {
	case !e.Known:
		return "exit status not known"
	case e.Signal() == 0:
		return "exit code " + strconv.Itoa(e.Code())
	case e.CoreDumped():
		return "killed by " + e.SignalName() + " (core dumped)"
	default:
		return "killed by " + e.SignalName()
	}
}

func signalName(sig int) string {
	if name := sys.SignalName(sig); name != "" {
		return name
	}
	return "signal " + strconv.Itoa(sig)
}
