package kill

import (
	"strconv"

	"github.com/lmkd/lmkd/internal/sys"
)

// Memory is what a victim holds, as far as the kernel tells.
type Memory struct {
	// Resident is what its address space maps, in bytes, shared pages included
	// (/proc/PID/statm). It says nothing once Attached is false: the kernel
	// gives 0 as soon as a dying process lets go of its address space, which is
	// long before the pages are free.
	// Anonymous is the part of it that no file backs, and that a reclaim frees.
	Resident  uint64 `json:"resident"`
	Anonymous uint64 `json:"anonymous"`
	Attached  bool   `json:"attached"`
	// Charge is what its memory cgroup is charged, in bytes, when Charged; it
	// is the victim's own when Alone, nobody else being in that cgroup.
	Charge  uint64 `json:"charge"`
	Charged bool   `json:"charged"`
	Alone   bool   `json:"alone"`
}

// memory measures the victim now.
func (v *Victim) memory() Memory {
	var m Memory
	m.Resident, m.Anonymous, m.Attached = resident(v.dir.Int())
	if v.places.memory != "" {
		m.Charge, m.Charged = charge(v.places.memory)
		m.Alone = m.Charged && v.alone
	}
	return m
}

// resident asks the leader, and the other threads when the leader has let go:
// a dead leader of living threads has no memory to show.
func resident(dir int) (bytes, anonymous uint64, attached bool) {
	m, ok := readStatm(dir, "statm")
	if !ok {
		_ = eachNumber(dir, "task", func(tid int) bool {
			m, ok = readStatm(dir, "task/"+strconv.Itoa(tid)+"/statm")
			return !ok
		})
	}
	page := sys.Pagesize()
	return m.resident * page, (m.resident - min(m.resident, m.shared)) * page, ok
}

// Measure is how an amount of memory was found.
type Measure uint8

// The measures, the most honest first.
const (
	Unmeasured Measure = iota
	ByCharge           // the charge of a cgroup that the victim had to itself
	ByResident         // the resident size of an address space that was still attached afterwards
)

var measureText = [...]string{"unmeasured", "cgroup charge", "resident size"}

func (m Measure) String() string { return measureText[m] }

// MarshalText gives the name.
func (m Measure) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// Freed is what came back between two looks, whoever freed it: the reclaim, or
// the victim beside it.
type Freed struct {
	Bytes uint64  `json:"bytes"`
	By    Measure `json:"by"`
}

// freed compares two looks.
func freed(before, after Memory) Freed {
	switch {
	case before.Alone && after.Charged:
		return Freed{before.Charge - min(before.Charge, after.Charge), ByCharge}
	case before.Attached && after.Attached:
		return Freed{before.Resident - min(before.Resident, after.Resident), ByResident}
	}
	return Freed{}
}

// back reports whether the victim's memory is free again: all but a sixteenth
// of what it held, for shared pages, page tables and the kernel's stacks stay
// longer. What it had before it came to its cgroup is charged elsewhere, and
// not waited for. With no measure the reclaim's own success has to do.
func back(before, after Memory, reclaim *Reclaim) bool {
	if f := freed(before, after); f.By == ByCharge {
		held := min(before.Anonymous, before.Charge)
		return f.Bytes >= held-held/16
	}
	return reclaim.OK()
}
