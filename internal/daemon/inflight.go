package daemon

import (
	"encoding/binary"
	"os"
	"path/filepath"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/victim"
)

// inflight is the kill under way, in one page of a file on /run that is mapped:
// writing it down is a few stores, and it survives the daemon's own death. The
// next daemon of the same boot waits for that victim before it chooses anew.
type inflight struct {
	file *os.File
	page sys.Mapping
	b    []byte
}

// The layout of the page. The pid is written last and cleared first.
const (
	inflightBoot  = 0  // boot id, 36 bytes
	inflightPID   = 40 // 4 bytes
	inflightStart = 48 // 8 bytes
	inflightComm  = 56 // victim.CommSize bytes
	inflightSize  = 4096
)

// openInflight maps the file at path, made if need be, and gives the victim
// that it names, of this boot only.
func openInflight(path string) (*inflight, *victim.Process, error) {
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
func (f *inflight) read() *victim.Process {
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	boot = append(boot[:min(len(boot), inflightPID)], make([]byte, inflightPID-min(len(boot), inflightPID))...)
	same := string(f.b[inflightBoot:inflightPID]) == string(boot)
	p := &victim.Process{
		PID:       int32(binary.NativeEndian.Uint32(f.b[inflightPID:])),
		StartTime: binary.NativeEndian.Uint64(f.b[inflightStart:]),
	}
	p.CommLen = uint8(copy(p.Comm[:], f.b[inflightComm:inflightComm+victim.CommSize]))
	for p.CommLen > 0 && p.Comm[p.CommLen-1] == 0 {
		p.CommLen--
	}
	f.end()
	copy(f.b[inflightBoot:], boot)
	if !same || p.PID <= 1 {
		return nil
	}
	return p
}

// begin writes the victim down. It allocates nothing and makes no system call.
func (f *inflight) begin(p *victim.Process) {
	if f == nil {
		return
	}
	binary.NativeEndian.PutUint64(f.b[inflightStart:], p.StartTime)
	copy(f.b[inflightComm:], p.Comm[:])
	binary.NativeEndian.PutUint32(f.b[inflightPID:], uint32(p.PID))
}

// end clears it.
func (f *inflight) end() {
	if f != nil {
		binary.NativeEndian.PutUint32(f.b[inflightPID:], 0)
	}
}

func (f *inflight) close() {
	if f != nil {
		_ = f.page.Close()
		_ = f.file.Close()
	}
}
