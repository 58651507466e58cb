package taskwatch

import (
	"bytes"
	"fmt"
	"math/bits"
	"strings"
	"time"
)

// Kind is a kind of event, or a set of kinds.
type Kind uint32

// The kinds. The task watchers of 2006, which would have called functions in
// the kernel, had clone, exec, uid, gid, exit and free (and init, which the
// kernel does not report apart from clone).
const (
	Fork     Kind = 1 << iota // a task was made; a thread when PID is not TGID
	Exec                      // a process runs a new program
	UID                       // a task changed its real or effective user id
	GID                       // or group id
	SID                       // a process began a session
	Ptrace                    // a tracer came, or (ParentPID 0) went
	Comm                      // a task changed its name
	Coredump                  // a process begins to dump core
	Exit                      // a task ended; the process's leader when PID is TGID
	Free                      // an ended process was reaped (Linux 6.9)
	Lost                      // events were lost: look at /proc again

	// All is every kind. Lost comes whether asked for or not.
	All = Lost<<1 - 1
)

var kindNames = [...]string{"fork", "exec", "uid", "gid", "sid", "ptrace", "comm", "coredump", "exit", "free", "lost"}

// String gives the names, "exec,exit".
func (k Kind) String() string {
	var names []string
	for rest := k & All; rest != 0; rest &= rest - 1 {
		names = append(names, kindNames[bits.TrailingZeros32(uint32(rest))])
	}
	return strings.Join(names, ",")
}

// ParseKinds reads names with commas between them; "all" is every kind.
func ParseKinds(text string) (Kind, error) {
	var set Kind
	for name := range strings.SplitSeq(text, ",") {
		k, err := parseKind(strings.TrimSpace(name))
		if err != nil {
			return 0, err
		}
		set |= k
	}
	return set, nil
}

func parseKind(name string) (Kind, error) {
	if name == "all" {
		return All, nil
	}
	for i, known := range kindNames {
		if name == known {
			return 1 << i, nil
		}
	}
	return 0, fmt.Errorf("no event is named %q: there are %s and all", name, strings.Join(kindNames[:], ", "))
}

// Event is something that happened to a task. Fields that its kind does not
// have are zero.
type Event struct {
	Kind Kind
	Time time.Duration // CLOCK_MONOTONIC, the kernel's

	PID  int // the task: a thread's id, or the process's for its leader
	TGID int // the process

	// ParentPID and ParentTGID are the parent of Fork, Coredump, Exit and
	// Free (for the last two on Linux 4.18 and later), the tracer of Ptrace.
	ParentPID, ParentTGID int

	// Real and Effective are the ids of UID and GID.
	Real, Effective uint32

	// Status is the wait status of Exit and Free. That of a process is its
	// leader's, except when the leader ended before other threads did.
	Status uint32

	// Count is how many events of this watcher were dropped, in Lost; 0
	// when it was the kernel that dropped them, which does not count.
	Count uint64

	// Name is the new name of Comm, raw and padded with NUL.
	Name [16]byte
}

// Thread reports whether the task is a thread other than its process's leader.
func (ev *Event) Thread() bool { return ev.PID != ev.TGID }

// Comm gives the name of a Comm event. It may hold any byte but NUL.
func (ev *Event) Comm() string {
	name, _, _ := bytes.Cut(ev.Name[:], []byte{0})
	return string(name)
}

// String gives the event in a line, for logs.
func (ev *Event) String() string {
	text := fmt.Sprintf("%v %d", ev.Kind, ev.PID)
	if ev.Thread() {
		text += fmt.Sprintf(" of %d", ev.TGID)
	}
	switch ev.Kind {
	case Fork:
		return text + fmt.Sprintf(" by %d", ev.ParentPID)
	case UID, GID:
		return text + fmt.Sprintf(" to %d, effective %d", ev.Real, ev.Effective)
	case Ptrace:
		return text + fmt.Sprintf(" by %d", ev.ParentPID)
	case Comm:
		return text + fmt.Sprintf(" to %q", ev.Comm())
	case Exit, Free:
		return text + fmt.Sprintf(" with status %#x", ev.Status)
	case Lost:
		return "events were lost: look at /proc again"
	}
	return text
}
