package sys

import (
	"encoding/binary"
	"time"
)

// ProcEventKind is what of struct proc_event (include/uapi/linux/cn_proc.h).
// The kinds are bits, so that a filter is a sum of them.
type ProcEventKind uint32

// The kinds of process events. ProcAck answers a request of ours.
const (
	ProcAck      ProcEventKind = 0
	ProcFork     ProcEventKind = 0x1
	ProcExec     ProcEventKind = 0x2
	ProcUID      ProcEventKind = 0x4
	ProcGID      ProcEventKind = 0x40
	ProcSID      ProcEventKind = 0x80
	ProcPtrace   ProcEventKind = 0x100
	ProcComm     ProcEventKind = 0x200
	ProcCoredump ProcEventKind = 0x40000000
	ProcExit     ProcEventKind = 0x80000000

	// ProcAll is every kind.
	ProcAll = ProcFork | ProcExec | ProcUID | ProcGID | ProcSID | ProcPtrace | ProcComm | ProcCoredump | ProcExit

	// procNonzeroExit asks a filter for failed exits only.
	procNonzeroExit ProcEventKind = 0x20000000
)

// ProcEvent is one event of the process events connector. Numbers of tasks are
// those of the initial pid namespace.
type ProcEvent struct {
	Kind ProcEventKind
	CPU  uint32
	Time time.Duration // CLOCK_MONOTONIC

	PID, TGID         int // the task; of a fork the new one
	PeerPID, PeerTGID int // the parent of a fork, exit (4.18) or core dump; a tracer

	// A and B are the real and the effective id of uid and gid, the wait
	// status and the signal to the parent of an exit, the error number and
	// the mark of an ack.
	A, B uint32
	Comm [16]byte // of comm, NUL-padded
	Seq  uint32   // counts the events of a CPU
}

// The offsets of a datagram: nlmsghdr, cn_msg, proc_event, its data.
const (
	atConnMsg   = 16
	atProcEvent = atConnMsg + 20
	atEventData = atProcEvent + 16

	cnIdxProc, cnValProc = 1, 1
)

// ParseProcEvent takes one datagram of the connector apart; false when it is
// none, is cut short, or is of an unknown kind.
func ParseProcEvent(b []byte) (ev ProcEvent, ok bool) {
	u32 := func(at int) uint32 { return binary.NativeEndian.Uint32(b[at:]) }
	if len(b) < atEventData || int64(u32(0)) > int64(len(b)) ||
		u32(atConnMsg) != cnIdxProc || u32(atConnMsg+4) != cnValProc {
		return ev, false
	}
	size := int(binary.NativeEndian.Uint16(b[atConnMsg+16:]))
	if size < 16 || len(b) < atProcEvent+size {
		return ev, false
	}
	ev.Kind = ProcEventKind(u32(atProcEvent))
	ev.CPU = u32(atProcEvent + 4)
	ev.Time = time.Duration(binary.NativeEndian.Uint64(b[atProcEvent+8:]))
	ev.Seq = u32(atConnMsg + 8)
	if ev.Kind == ProcAck {
		ev.B = u32(atConnMsg + 12)
	}
	return ev, ev.fill(b[atEventData : atProcEvent+size])
}

// fill reads the data of the event's kind.
func (ev *ProcEvent) fill(data []byte) bool {
	var f [6]uint32
	for i := range f {
		if len(data) >= 4*i+4 {
			f[i] = binary.NativeEndian.Uint32(data[4*i:])
		}
	}
	need := 8
	ev.PID, ev.TGID = int(f[0]), int(f[1])
	switch ev.Kind {
	case ProcAck:
		need, ev.PID, ev.TGID, ev.A = 4, 0, 0, f[0]
	case ProcFork:
		need, ev.PID, ev.TGID, ev.PeerPID, ev.PeerTGID = 16, int(f[2]), int(f[3]), int(f[0]), int(f[1])
	case ProcExec, ProcSID:
	case ProcUID, ProcGID:
		need, ev.A, ev.B = 16, f[2], f[3]
	case ProcPtrace, ProcCoredump:
		need, ev.PeerPID, ev.PeerTGID = 16, int(f[2]), int(f[3])
	case ProcComm:
		need = 24
		copy(ev.Comm[:], data[min(8, len(data)):])
	case ProcExit: // kernels before 4.18 end after the signal
		need, ev.A, ev.B, ev.PeerPID, ev.PeerTGID = 16, f[2], f[3], int(f[4]), int(f[5])
	default:
		return false
	}
	return len(data) >= need
}
