package memory

import (
	"errors"
	"fmt"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/pressure"
	"github.com/lmkd/lmkd/pkg/psi"
)

// stallFile is one file of /proc/pressure and the place of its figures in a
// sample.
type stallFile struct {
	file
	has  pressure.Has
	into func(*pressure.Sample) *pressure.Stall
}

var stallFiles = [...]stallFile{
	{file{name: "proc/pressure/memory"}, pressure.HasStall, func(s *pressure.Sample) *pressure.Stall { return &s.Stall }},
	{file{name: "proc/pressure/io"}, pressure.HasStallIO, func(s *pressure.Sample) *pressure.Stall { return &s.StallIO }},
	{file{name: "proc/pressure/cpu"}, pressure.HasStallCPU, func(s *pressure.Sample) *pressure.Stall { return &s.StallCPU }},
}

// errStallOff is why a pressure file that can be opened says nothing.
var errStallOff = errors.New("pressure stall information is switched off")

// read fills s; a kernel with pressure switched off answers the read with
// EOPNOTSUPP, which is as if the file were not there.
func (f *stallFile) read(buf []byte, s *pressure.Sample) error {
	if !f.isOpen() {
		return nil
	}
	n, e := sys.ReadFull(f.fd.Int(), buf)
	if e == sys.EOPNOTSUPP {
		return errStallOff
	}
	if e != 0 {
		return &sys.OpError{Doing: "read " + f.name, Errno: e}
	}
	p, err := psi.Parse(buf[:n])
	if err != nil {
		return fmt.Errorf("read %s: %w", f.name, err)
	}
	*f.into(s) = pressure.Stall{
		SomeAvg10: p.Some.Avg10, SomeAvg60: p.Some.Avg60, SomeAvg300: p.Some.Avg300, SomeTotal: p.Some.Total,
		FullAvg10: p.Full.Avg10, FullAvg60: p.Full.Avg60, FullAvg300: p.Full.Avg300, FullTotal: p.Full.Total,
	}
	s.Has |= f.has
	return nil
}
