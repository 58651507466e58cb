package guest

import (
	"os"
	"path/filepath"
	"time"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/test/vm/wire"
)

// Out creates a file that goes back to the host, into the directory that was
// given to the runner as -out, under the same name ("traces/leak.jsonl").
func Out(name string) (*os.File, error) {
	path := filepath.Join(wire.OutDir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	return os.Create(path)
}

// OutPath gives the path that Out creates, for a program that writes its file
// by itself.
func OutPath(name string) string { return filepath.Join(wire.OutDir, name) }

// Mark is the state of the machine at one instant; two of them make a
// measurement.
type Mark struct {
	At        time.Duration // since boot
	Available uint64        // bytes
	SwapFree  uint64        // bytes
	Pressure  Pressure      // since boot
	OOMKills  uint64        // since boot
}

// TakeMark reads the machine. Without pressure information Pressure is zero.
func TakeMark() (Mark, error) {
	m := Mark{At: sys.SinceBoot()}
	var err error
	if m.Available, err = MemAvailable(); err != nil {
		return m, err
	}
	if m.SwapFree, err = SwapFree(); err != nil {
		return m, err
	}
	if m.OOMKills, err = OOMKills(); err != nil {
		return m, err
	}
	m.Pressure, err = MemoryPressure()
	if os.IsNotExist(err) {
		err = nil
	}
	return m, err
}

// Stalled gives the stall time between an earlier mark and m.
func (m Mark) Stalled(since Mark) Pressure {
	return Pressure{Some: m.Pressure.Some - since.Pressure.Some, Full: m.Pressure.Full - since.Pressure.Full}
}

// Until looks each 20 ms whether cond holds, up to limit, and reports whether
// it came to.
func Until(limit time.Duration, cond func() bool) bool {
	end := time.Now().Add(limit)
	for !cond() {
		if time.Now().After(end) {
			return false
		}
		time.Sleep(20 * time.Millisecond)
	}
	return true
}
