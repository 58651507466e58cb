package lmkproto

import (
	"encoding/binary"
	"fmt"
)

// Request is one packet to the daemon, decoded. The command says which fields
// are filled.
type Request struct {
	Command Command

	Procs  [MaxProcs]Proc    // ProcPrio, ProcsPrio: the first Count
	Levels [MaxTargets]Level // Target: the first Count
	Count  int

	PID            int32 // ProcRemove
	MinAdj, MaxAdj int32 // GetKillCount
	Event          Event // Subscribe
}

// Decode reads a packet into r. An error says what is wrong with the packet, and
// r is then of no use. Values are left to whoever uses them, for one bad process
// of several does not spoil the others: see Proc.Check, Level.Check and
// Event.Check.
func (r *Request) Decode(packet []byte) error {
	if len(packet) < 4 {
		return fmt.Errorf("a packet of %d bytes has no command", len(packet))
	}
	*r = Request{Command: Command(word(packet, 0))}
	if len(packet)%4 != 0 {
		return fmt.Errorf("%v: %d bytes are no whole number of words", r.Command, len(packet))
	}
	return r.fill(packet[4:])
}

// fill reads the words after the command.
func (r *Request) fill(b []byte) error {
	n := len(b) / 4
	switch r.Command {
	case Target:
		return r.targets(b, n)
	case ProcPrio:
		if n < 3 || n > longProc {
			return r.wrong(n, "3 to 5")
		}
		r.Count = 1
		r.Procs[0].decode(b, n)
	case ProcsPrio:
		return r.procs(b, n)
	case ProcRemove:
		r.PID = one(b)
		return r.exactly(n, 1)
	case GetKillCount:
		if n == 2 {
			r.MinAdj, r.MaxAdj = word(b, 0), word(b, 1)
		}
		return r.exactly(n, 2)
	case Subscribe:
		r.Event = Event(one(b))
		return r.exactly(n, 1)
	case ProcPurge, UpdateProps, StartMonitoring, BootCompleted:
		return r.exactly(n, 0)
	case ProcKill, StatKill:
		return fmt.Errorf("%v: only the daemon sends it", r.Command)
	default:
		return fmt.Errorf("%v is not known", r.Command)
	}
	return nil
}

func (r *Request) targets(b []byte, n int) error {
	if n%2 != 0 || n > 2*MaxTargets {
		return r.wrong(n, "up to 6 pairs of them")
	}
	r.Count = n / 2
	for i := range r.Levels[:r.Count] {
		r.Levels[i] = Level{Minfree: word(b, 2*i), Adj: word(b, 2*i+1)}
	}
	return nil
}

// procs tells records of four words from those of five by the length: no number
// of the one is a number of the other.
func (r *Request) procs(b []byte, n int) error {
	size := longProc
	if n%shortProc == 0 {
		size = shortProc
	}
	if n == 0 || n%size != 0 || n/size > MaxProcs {
		return r.wrong(n, "1 to 3 records of 4 words, or of 5")
	}
	r.Count = n / size
	for i := range r.Procs[:r.Count] {
		r.Procs[i].decode(b[4*size*i:], size)
	}
	return nil
}

// decode reads a record of n words, from 3 on; what is missing has its default.
func (p *Proc) decode(b []byte, n int) {
	*p = Proc{PID: word(b, 0), UID: word(b, 1), Adj: word(b, 2)}
	if n >= shortProc {
		p.Type = ProcType(word(b, 3))
	}
	if n >= longProc {
		p.ForLmkdOnly = word(b, 4) != 0
	}
}

func (r *Request) exactly(n, want int) error {
	if n != want {
		return r.wrong(n, fmt.Sprint(want))
	}
	return nil
}

func (r *Request) wrong(n int, want string) error {
	return fmt.Errorf("%v: %d words after the command, want %s", r.Command, n, want)
}

// Check finds what is wrong with a process.
func (p *Proc) Check() error {
	switch {
	case p.PID <= 0:
		return fmt.Errorf("pid %d is none", p.PID)
	case p.UID < 0:
		return fmt.Errorf("uid %d of pid %d is none", p.UID, p.PID)
	case p.Adj < MinAdj || p.Adj > MaxAdj:
		return fmt.Errorf("oom_score_adj %d of pid %d is not from -1000 to 1000", p.Adj, p.PID)
	case p.Type != App && p.Type != Service:
		return fmt.Errorf("type %d of pid %d is neither app (0) nor service (1)", p.Type, p.PID)
	}
	return nil
}

// Check finds what is wrong with a level.
func (l *Level) Check() error {
	switch {
	case l.Minfree < 0:
		return fmt.Errorf("minfree of %d pages", l.Minfree)
	case l.Adj < MinAdj || l.Adj > MaxAdj:
		return fmt.Errorf("oom_score_adj %d of a level is not from -1000 to 1000", l.Adj)
	}
	return nil
}

// Check finds what is wrong with an event.
func (e Event) Check() error {
	if e != KillEvent && e != StatEvent {
		return fmt.Errorf("event %d is neither kill (0) nor stat (1)", e)
	}
	return nil
}

// Append adds the packet of r to b. It is the reverse of Decode; processes are
// written with all five words where one asks for ForLmkdOnly, else with four, which
// every release since Android 15 reads.
func (r *Request) Append(b []byte) []byte {
	b = words(b, int32(r.Command))
	switch r.Command {
	case Target:
		for i := range r.Levels[:r.Count] {
			b = words(b, r.Levels[i].Minfree, r.Levels[i].Adj)
		}
	case ProcPrio, ProcsPrio:
		b = appendProcs(b, r.Procs[:r.Count])
	case ProcRemove:
		b = words(b, r.PID)
	case GetKillCount:
		b = words(b, r.MinAdj, r.MaxAdj)
	case Subscribe:
		b = words(b, int32(r.Event))
	}
	return b
}

func appendProcs(b []byte, procs []Proc) []byte {
	long := false
	for i := range procs {
		long = long || procs[i].ForLmkdOnly
	}
	for i := range procs {
		p := &procs[i]
		b = words(b, p.PID, p.UID, p.Adj, int32(p.Type))
		if long {
			b = words(b, truth(p.ForLmkdOnly))
		}
	}
	return b
}

func truth(v bool) int32 {
	if v {
		return 1
	}
	return 0
}

func word(b []byte, i int) int32 { return int32(binary.BigEndian.Uint32(b[4*i:])) }

// one gives the first word, if there is any.
func one(b []byte) int32 {
	if len(b) < 4 {
		return 0
	}
	return word(b, 0)
}

func words(b []byte, values ...int32) []byte {
	for _, v := range values {
		b = binary.BigEndian.AppendUint32(b, uint32(v))
	}
	return b
}
