package memory

import (
	"bytes"

	"github.com/lmkd/lmkd/pkg/pressure"
)

// vmstat is /proc/vmstat (mm/vmstat.c): "key number", some 190 lines.
type vmstat struct {
	pressure.Counters
	hasRefault   bool
	refault      uint64 // workingset_refault, until Linux 5.8
	refaultFile  uint64 // workingset_refault_file, since 5.9
	inactiveFile uint64
	activeFile   uint64
	allocStall   uint64 // the zones summed
}

// parseVmstat fills v from the lines of the file.
func parseVmstat(l *lines, v *vmstat) error {
	*v = vmstat{}
	for {
		line, ok := l.next()
		if !ok {
			break
		}
		if !v.set(line) {
			return l.malformed(line)
		}
	}
	v.Refault = v.refaultFile
	if v.refault != 0 {
		v.Refault = v.refault
	}
	v.FileLRU = v.inactiveFile + v.activeFile
	return l.err
}

// set stores one line; false is a known key whose value is malformed.
func (v *vmstat) set(line []byte) bool {
	blank := bytes.IndexByte(line, ' ')
	if blank < 0 {
		return true
	}
	key := line[:blank]
	into := v.field(key)
	if into == nil {
		return true
	}
	n, ok := number(line[blank+1:])
	*into = n
	if into == &v.allocStall { // one line for each zone
		v.AllocStall += n
	}
	return ok
}

// field says where a key's value belongs, nil for a key of no interest. One
// switch for each line was measured against a table and against remembered
// line numbers (docs/decisions/0030-reading-proc.md): the kernel's formatting of the file
// takes fifteen times as long as any of them.
func (v *vmstat) field(key []byte) *uint64 {
	switch string(key) {
	case "nr_inactive_file":
		return &v.inactiveFile
	case "nr_active_file":
		return &v.activeFile
	case "workingset_refault":
		v.hasRefault = true
		return &v.refault
	case "workingset_refault_file":
		v.hasRefault = true
		return &v.refaultFile
	case "workingset_refault_anon":
		return &v.RefaultAnon
	case "allocstall", "allocstall_dma", "allocstall_dma32", "allocstall_normal",
		"allocstall_high", "allocstall_movable", "allocstall_device":
		return &v.allocStall
	case "pgmajfault":
		return &v.MajorFaults
	case "pswpin":
		return &v.SwapIn
	case "pswpout":
		return &v.SwapOut
	case "oom_kill":
		return &v.OOMKill
	}
	return v.reclaimField(key)
}

func (v *vmstat) reclaimField(key []byte) *uint64 {
	switch string(key) {
	case "pgscan_direct":
		return &v.PgscanDirect
	case "pgscan_kswapd":
		return &v.PgscanKswapd
	case "pgrefill":
		return &v.Pgrefill
	case "pgsteal_direct":
		return &v.PgstealDirect
	case "pgsteal_kswapd":
		return &v.PgstealKswapd
	}
	return nil
}
