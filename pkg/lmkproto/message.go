package lmkproto

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// Message is one packet from the daemon, decoded. The command says which fields
// are filled.
type Message struct {
	Command Command
	Kill    Kill  // ProcKill
	Stat    Stat  // StatKill
	Value   int32 // the reply to GetKillCount, UpdateProps or BootCompleted
}

// Kill is the packet that tells of a kill.
type Kill struct {
	PID, UID int32
	RSS      int32 // KiB; 0 from daemons before Android 15
}

// Stat is the packet that tells of a kill with its numbers. What the daemon does
// not know is -1.
type Stat struct {
	PageFaults, MajorFaults int64
	RSS, Cache, Swap        int64 // bytes
	StartTime               int64 // nanoseconds since boot

	UID, Adj, MinAdj        int32
	Free, FreeSwap          int32 // KiB; of swap what can be filled
	Reason                  int32 // Android's number
	Thrashing, MaxThrashing int32 // percent

	// Name is the task's, at most MaxName bytes without a NUL. Decoded, it is a
	// part of the packet.
	Name []byte
}

// MaxName is the longest name in a Stat, and MaxMessage the longest packet from
// the daemon, both in bytes.
const (
	MaxName    = 127
	statHead   = 86 // up to the name
	MaxMessage = statHead + MaxName + 1
)

// Decode reads a packet into m. An error says what is wrong with the packet, and
// m is then of no use.
func (m *Message) Decode(packet []byte) error {
	if len(packet) < 4 {
		return fmt.Errorf("a packet of %d bytes has no command", len(packet))
	}
	*m = Message{Command: Command(word(packet, 0))}
	if m.Command == StatKill {
		return m.Stat.decode(packet)
	}
	if len(packet)%4 != 0 {
		return fmt.Errorf("%v: %d bytes are no whole number of words", m.Command, len(packet))
	}
	b := packet[4:]
	n := len(b) / 4
	switch m.Command {
	case ProcKill:
		if n != 2 && n != 3 {
			return fmt.Errorf("%v: %d words after the command, want 2 or 3", m.Command, n)
		}
		m.Kill = Kill{PID: word(b, 0), UID: word(b, 1)}
		if n == 3 {
			m.Kill.RSS = word(b, 2)
		}
	case GetKillCount, UpdateProps, BootCompleted:
		if n != 1 {
			return fmt.Errorf("%v: %d words after the command, want 1", m.Command, n)
		}
		m.Value = word(b, 0)
	default:
		return fmt.Errorf("%v: the daemon does not send it", m.Command)
	}
	return nil
}

// Append adds the packet of m to b.
func (m *Message) Append(b []byte) []byte {
	b = words(b, int32(m.Command))
	switch m.Command {
	case ProcKill:
		return words(b, m.Kill.PID, m.Kill.UID, m.Kill.RSS)
	case StatKill:
		return m.Stat.append(b)
	}
	return words(b, m.Value)
}

func (s *Stat) longs() [6]*int64 {
	return [...]*int64{&s.PageFaults, &s.MajorFaults, &s.RSS, &s.Cache, &s.Swap, &s.StartTime}
}

func (s *Stat) ints() [8]*int32 {
	return [...]*int32{&s.UID, &s.Adj, &s.MinAdj, &s.Free, &s.FreeSwap, &s.Reason, &s.Thrashing, &s.MaxThrashing}
}

// append adds all behind the command. The fields are not aligned, and the NUL
// behind the name is not counted in its length.
func (s *Stat) append(b []byte) []byte {
	for _, v := range s.longs() {
		b = binary.BigEndian.AppendUint64(b, uint64(*v))
	}
	for _, v := range s.ints() {
		b = binary.BigEndian.AppendUint32(b, uint32(*v))
	}
	name := s.Name
	if i := bytes.IndexByte(name, 0); i >= 0 {
		name = name[:i]
	}
	name = name[:min(len(name), MaxName)]
	b = binary.BigEndian.AppendUint16(b, uint16(len(name)))
	return append(append(b, name...), 0)
}

func (s *Stat) decode(b []byte) error {
	if len(b) < statHead+1 {
		return fmt.Errorf("%v: %d bytes, want %d at least", StatKill, len(b), statHead+1)
	}
	at := 4
	for _, v := range s.longs() {
		*v = int64(binary.BigEndian.Uint64(b[at:]))
		at += 8
	}
	for _, v := range s.ints() {
		*v = int32(binary.BigEndian.Uint32(b[at:]))
		at += 4
	}
	n := int(int16(binary.BigEndian.Uint16(b[at:])))
	if n < 0 || n > MaxName || len(b) != statHead+n+1 || b[statHead+n] != 0 {
		return fmt.Errorf("%v: a name of %d bytes in a packet of %d", StatKill, n, len(b))
	}
	s.Name = b[statHead : statHead+n]
	return nil
}
