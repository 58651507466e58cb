package memory

import (
	"bytes"

	"github.com/lmkd/lmkd/pkg/pressure"
)

// cgroupStat is memory.stat (mm/memcontrol.c): "key number", bytes but for the
// events. Counters begin when the cgroup is made.
type cgroupStat struct {
	memory     pressure.Memory
	counters   pressure.Counters
	pgscan     uint64 // with kswapd's; all there is before Linux 6.0
	refault    uint64 // workingset_refault, until Linux 5.8
	hasDirect  bool
	hasRefault bool
	hasSwapIn  bool
	cache      uint64
}

func (c *cgroupStat) parse(l *lines) error {
	*c = cgroupStat{}
	for {
		line, ok := l.next()
		if !ok {
			return l.err
		}
		blank := bytes.IndexByte(line, ' ')
		if blank < 0 {
			continue
		}
		into := c.field(line[:blank])
		if into == nil {
			continue
		}
		if *into, ok = number(line[blank+1:]); !ok {
			return l.malformed(line)
		}
	}
}

// field says where a key's value belongs, nil for a key of no interest.
func (c *cgroupStat) field(key []byte) *uint64 {
	m := &c.memory
	switch string(key) {
	case "file":
		return &c.cache
	case "shmem":
		return &m.Shmem
	case "file_dirty":
		return &m.Dirty
	case "file_writeback":
		return &m.Writeback
	case "swapcached":
		return &m.SwapCached
	case "inactive_anon":
		return &m.InactiveAnon
	case "active_anon":
		return &m.ActiveAnon
	case "inactive_file":
		return &m.InactiveFile
	case "active_file":
		return &m.ActiveFile
	case "unevictable":
		return &m.Unevictable
	case "slab_reclaimable":
		return &m.SReclaimable
	case "slab_unreclaimable":
		return &m.SUnreclaim
	case "kernel_stack":
		return &m.KernelStack
	case "pagetables":
		return &m.PageTables
	}
	return c.event(key)
}

// event is field for what is counted.
func (c *cgroupStat) event(key []byte) *uint64 {
	n := &c.counters
	switch string(key) {
	case "workingset_refault":
		c.hasRefault = true
		return &c.refault
	case "workingset_refault_file":
		c.hasRefault = true
		return &n.Refault
	case "workingset_refault_anon":
		return &n.RefaultAnon
	case "pgscan":
		return &c.pgscan
	case "pgscan_direct":
		c.hasDirect = true
		return &n.PgscanDirect
	case "pgsteal_direct":
		return &n.PgstealDirect
	case "pgmajfault":
		return &n.MajorFaults
	case "pswpin":
		c.hasSwapIn = true
		return &n.SwapIn
	case "pswpout":
		return &n.SwapOut
	}
	return nil
}

// fill writes what was parsed into s. Reclaim by kswapd is left out: it is the
// machine's, and tells nothing of this cgroup's limit.
func (c *cgroupStat) fill(s *pressure.Sample, pageSize uint64) {
	s.Memory, s.Counters = c.memory, c.counters
	s.Memory.Cached = c.cache
	s.Counters.FileLRU = (c.memory.ActiveFile + c.memory.InactiveFile) / pageSize
	if !c.hasDirect {
		s.Counters.PgscanDirect = c.pgscan
	}
	if !c.hasSwapIn { // older kernels: faults for swapped pages, but for those long gone
		s.Counters.SwapIn = c.counters.RefaultAnon
	}
	if c.refault != 0 {
		s.Counters.Refault = c.refault
	}
	if c.hasRefault {
		s.Has |= pressure.HasRefault
	}
}

// parseCgroupEvents takes the kernel's own kills out of memory.events.
func parseCgroupEvents(l *lines, c *pressure.Counters) error {
	for {
		line, ok := l.next()
		if !ok {
			return l.err
		}
		rest, found := bytes.CutPrefix(line, []byte("oom_kill "))
		if !found {
			continue
		}
		if c.OOMKill, ok = number(rest); !ok {
			return l.malformed(line)
		}
	}
}
