package memory

import (
	"bytes"

	"github.com/lmkd/lmkd/pkg/pressure"
)

// meminfo is /proc/meminfo (fs/proc/meminfo.c): "Key:  number kB", and numbers
// of huge pages without a unit.
type meminfo struct {
	pressure.Memory
	hasAvailable        bool // since Linux 3.14
	hasTotal            bool
	hugeTotal, hugeFree uint64 // pages
	hugeSize            uint64 // bytes
}

// parseMeminfo fills m from the lines of the file.
func parseMeminfo(l *lines, m *meminfo) error {
	*m = meminfo{}
	for {
		line, ok := l.next()
		if !ok {
			break
		}
		if !m.set(line) {
			return l.malformed(line)
		}
	}
	if l.err != nil {
		return l.err
	}
	var total, free bool
	m.HugeTotal, total = product(m.hugeTotal, m.hugeSize)
	m.HugeFree, free = product(m.hugeFree, m.hugeSize)
	if !total || !free {
		return l.malformed([]byte("HugePages"))
	}
	return nil
}

// set stores one line; false is a known key whose value is malformed.
func (m *meminfo) set(line []byte) bool {
	colon := bytes.IndexByte(line, ':')
	if colon < 0 {
		return true
	}
	into := m.field(line[:colon])
	if into == nil {
		return true
	}
	digits, unit := word(line[colon+1:])
	n, ok := number(digits)
	if unit, _ = word(unit); ok && len(unit) > 0 {
		n, ok = product(n, 1024)
		ok = ok && string(unit) == "kB"
	}
	*into = n
	return ok
}

// field says where a key's value belongs, nil for a key of no interest.
func (m *meminfo) field(key []byte) *uint64 {
	switch string(key) {
	case "MemTotal":
		m.hasTotal = true
		return &m.Total
	case "MemFree":
		return &m.Free
	case "MemAvailable":
		m.hasAvailable = true
		return &m.Available
	case "Buffers":
		return &m.Buffers
	case "Cached":
		return &m.Cached
	case "Active(anon)":
		return &m.ActiveAnon
	case "Inactive(anon)":
		return &m.InactiveAnon
	case "Active(file)":
		return &m.ActiveFile
	case "Inactive(file)":
		return &m.InactiveFile
	case "Unevictable":
		return &m.Unevictable
	case "Mlocked":
		return &m.Mlocked
	case "Shmem":
		return &m.Shmem
	}
	if into := m.swapField(key); into != nil {
		return into
	}
	return m.kernelField(key)
}

func (m *meminfo) swapField(key []byte) *uint64 {
	switch string(key) {
	case "SwapTotal":
		return &m.SwapTotal
	case "SwapFree":
		return &m.SwapFree
	case "SwapCached":
		return &m.SwapCached
	case "Zswap":
		return &m.Zswap
	case "Zswapped":
		return &m.Zswapped
	}
	return nil
}

func (m *meminfo) kernelField(key []byte) *uint64 {
	switch string(key) {
	case "Dirty":
		return &m.Dirty
	case "Writeback":
		return &m.Writeback
	case "SReclaimable":
		return &m.SReclaimable
	case "SUnreclaim":
		return &m.SUnreclaim
	case "KernelStack":
		return &m.KernelStack
	case "PageTables":
		return &m.PageTables
	case "CmaFree":
		return &m.CmaFree
	case "CommitLimit":
		return &m.CommitLimit
	case "Committed_AS":
		return &m.CommittedAS
	case "HugePages_Total":
		return &m.hugeTotal
	case "HugePages_Free":
		return &m.hugeFree
	case "Hugepagesize":
		return &m.hugeSize
	}
	return nil
}
