package daemon

import (
	"encoding/binary"
	"os"
	"path/filepath"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/victim"
)

// inflight is the kills under way, in one page of a file on /run that is mapped:
// writing one down is a few stores, and it survives the daemon's own death. The
// next daemon of the same boot waits for those victims before it chooses anew.
type inflight struct {
	file *os.File
	page sys.Mapping
	b    []byte
}

// The layout of the page, and of a slot in it. The pid is written last and
// cleared first; a slot without one is free.
const (
	inflightBoot   = 0  // boot id, 36 bytes
	inflightSlots  = 64 // to the end of the page
	inflightPID    = 0  // 4 bytes
	inflightStart  = 8  // 8 bytes
	inflightDomain = 16 // 8 bytes, the key of the domain
	inflightComm   = 24 // victim.CommSize bytes
	inflightSlot   = 64
	inflightSize   = 4096
)

// adopted is a kill that an earlier run began.
type adopted struct {
	domain uint64
	victim victim.Process
}

// openInflight maps the file at path, made if need be, and gives the
// victims that it names, of this boot only.
func openInflight(path string) (*inflight, []adopted, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, nil, err
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, nil, err
	}
	f := &inflight{file: file}
	if err = file.Truncate(inflightSize); err == nil {
		f.page, err = sys.MapShared(int(file.Fd()), 0, inflightSize, true)
	}
	if err != nil {
		_ = file.Close()
		return nil, nil, err
	}
	f.b = f.page.Bytes()
	return f, f.read(), nil
}

// read takes over what the page says, and makes the page this boot's.
func (f *inflight) read() (found []adopted) {
	var boot [inflightSlots]byte
	id, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	copy(boot[:], id)
	same := string(f.b[inflightBoot:inflightSlots]) == string(boot[:])
	for at := inflightSlots; same && at < len(f.b); at += inflightSlot {
		a := adopted{domain: binary.NativeEndian.Uint64(f.b[at+inflightDomain:])}
		p := &a.victim
		p.PID = int32(binary.NativeEndian.Uint32(f.b[at+inflightPID:]))
		p.StartTime = binary.NativeEndian.Uint64(f.b[at+inflightStart:])
		p.CommLen = uint8(copy(p.Comm[:], f.b[at+inflightComm:at+inflightComm+victim.CommSize]))
		for p.CommLen > 0 && p.Comm[p.CommLen-1] == 0 {
			p.CommLen--
		}
		if p.PID > 1 {
			found = append(found, a)
		}
	}
	clear(f.b)
	copy(f.b[inflightBoot:], boot[:])
	return found
}

// begin writes the victim of a domain down, in a free slot: there are some
// sixty, and what finds none is forgotten by a restart. It allocates nothing and
// makes no system call.
func (f *inflight) begin(domain uint64, p *victim.Process) {
	if f == nil {
		return
	}
	for at := inflightSlots; at < len(f.b); at += inflightSlot {
		s := f.b[at : at+inflightSlot]
		if binary.NativeEndian.Uint32(s[inflightPID:]) != 0 {
			continue
		}
		binary.NativeEndian.PutUint64(s[inflightDomain:], domain)
		binary.NativeEndian.PutUint64(s[inflightStart:], p.StartTime)
		copy(s[inflightComm:], p.Comm[:])
		binary.NativeEndian.PutUint32(s[inflightPID:], uint32(p.PID))
		return
	}
}

// end clears the victim of a domain.
func (f *inflight) end(domain uint64) {
	if f == nil {
		return
	}
	for at := inflightSlots; at < len(f.b); at += inflightSlot {
		s := f.b[at : at+inflightSlot]
		if binary.NativeEndian.Uint64(s[inflightDomain:]) == domain {
			binary.NativeEndian.PutUint32(s[inflightPID:], 0)
		}
	}
}

func (f *inflight) close() {
	if f != nil {
		_ = f.page.Close()
		_ = f.file.Close()
	}
}
