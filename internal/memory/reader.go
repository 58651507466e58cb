package memory

import (
	"errors"
	"fmt"
	"time"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/pressure"
)

// bufferSize holds any of the files but zoneinfo in one read, and no line of
// them is nearly as long.
const bufferSize = 16 << 10

// Reader reads the memory state of one machine, or of a captured tree. It owns
// its descriptors until Close, and is not safe for concurrent use.
type Reader struct {
	buf      []byte
	pageSize uint64
	root     string
	meminfo  file
	vmstat   file
	zoneinfo file
	arc      file
	arcPath  []byte // with its NUL
	stalls   [len(stallFiles)]stallFile
	zrams    zrams
	missing  []error
	marks    pressure.Watermarks // as last read
	hasMarks bool
	mem      meminfo // scratch of one reading
	vm       vmstat
}

// Open opens the files under root ("/", or the directory of a captured tree)
// and reads each once. Without /proc/meminfo there is nothing to judge by, and
// Open fails; what else the kernel lacks is told by Missing.
func Open(root string) (*Reader, error) {
	r := &Reader{buf: make([]byte, bufferSize), pageSize: sys.Pagesize(), root: root, stalls: stallFiles}
	if err := r.open(); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

func (r *Reader) open() error {
	var err error
	if r.meminfo, err = openFile(r.root, "proc/meminfo"); err != nil {
		return err
	}
	for _, o := range []struct {
		into *file
		name string
	}{
		{&r.vmstat, "proc/vmstat"},
		{&r.zoneinfo, "proc/zoneinfo"},
		{&r.stalls[0].file, r.stalls[0].name},
		{&r.stalls[1].file, r.stalls[1].name},
		{&r.stalls[2].file, r.stalls[2].name},
	} {
		*o.into, err = openFile(r.root, o.name)
		r.miss(err)
	}
	r.miss(r.zrams.open(r.root))
	r.arc.name = below(r.root, "proc/spl/kstat/zfs/arcstats")
	r.arcPath = append([]byte(r.arc.name), 0)
	return r.rehearse()
}

// rehearse reads everything once: a fault of a file is found now and not under
// pressure, and every page that a reading touches is there.
func (r *Reader) rehearse() error {
	var s pressure.Sample
	if err := r.Watermarks(0, &s.Watermarks); err != nil && r.zoneinfo.isOpen() {
		return err
	}
	r.hasMarks = false
	return r.Sample(0, &s)
}

func (r *Reader) miss(err error) {
	if err != nil {
		r.missing = append(r.missing, err)
	}
}

// Missing gives an error for each file that could not be opened or is switched
// off; the part of a sample that it would fill stays absent.
func (r *Reader) Missing() []error { return r.missing }

// Close gives all descriptors back.
func (r *Reader) Close() {
	for _, f := range []*file{&r.meminfo, &r.vmstat, &r.zoneinfo, &r.arc, &r.zrams.swaps} {
		f.close()
	}
	for i := range r.stalls {
		r.stalls[i].close()
	}
	r.zrams.closeDevices()
}

// Sample fills s with the state at now, by CLOCK_MONOTONIC. The watermarks in
// it are those of the last call of Watermarks. It allocates nothing. After an
// error s is incomplete and must not be judged; the error names the file, and
// the line when it is malformed.
func (r *Reader) Sample(now time.Duration, s *pressure.Sample) error {
	*s = pressure.Sample{At: now}
	if err := r.readMeminfo(s); err != nil {
		return err
	}
	if err := r.readVmstat(s); err != nil {
		return err
	}
	if err := r.readStalls(s); err != nil {
		return err
	}
	if err := r.zrams.read(s.Memory.SwapTotal, r.buf, s); err != nil {
		return err
	}
	if r.hasMarks {
		s.Watermarks = r.marks
		s.Has |= pressure.HasWatermarks
	}
	return r.readARC(s)
}

func (r *Reader) readMeminfo(s *pressure.Sample) error {
	l := r.meminfo.lines(r.buf)
	if err := parseMeminfo(&l, &r.mem); err != nil {
		return err
	}
	if !r.mem.hasTotal {
		return fmt.Errorf("parse %s: no MemTotal", r.meminfo.name)
	}
	s.Memory = r.mem.Memory
	if r.mem.hasAvailable {
		s.Has |= pressure.HasAvailable
	}
	return nil
}

func (r *Reader) readVmstat(s *pressure.Sample) error {
	if !r.vmstat.isOpen() {
		return nil
	}
	l := r.vmstat.lines(r.buf)
	if err := parseVmstat(&l, &r.vm); err != nil {
		return err
	}
	s.Counters = r.vm.Counters
	if r.vm.hasRefault {
		s.Has |= pressure.HasRefault
	}
	return nil
}

func (r *Reader) readStalls(s *pressure.Sample) error {
	for i := range r.stalls {
		f := &r.stalls[i]
		err := f.read(r.buf, s)
		if errors.Is(err, errStallOff) {
			f.close()
			r.miss(fmt.Errorf("read %s: %w", f.name, err))
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// readARC adds ZFS's cache. The module may be unloaded meanwhile, and come back;
// a release that writes its figures otherwise is told of once, and must not
// blind us to all else.
func (r *Reader) readARC(s *pressure.Sample) error {
	if !r.arc.isOpen() {
		return nil
	}
	l := r.arc.lines(r.buf)
	var a arcStats
	err := parseArcstats(&l, &a)
	if err == nil {
		s.Memory.ReclaimableElsewhere = a.reclaimable()
		return nil
	}
	r.arc.close()
	if gone := (*sys.OpError)(nil); !errors.As(err, &gone) {
		r.miss(err)
		r.arcPath = nil
	}
	return nil
}

// Watermarks reads zoneinfo anew into w and keeps the result for the samples to
// come. The marks change with memory hotplug, sysctls and huge page pools, so
// that an age of a minute is young; the modules and devices that come and go as
// seldom are looked for here too. It allocates only when it fails.
func (r *Reader) Watermarks(now time.Duration, w *pressure.Watermarks) error {
	r.zrams.stale = true
	if !r.arc.isOpen() {
		r.openARC()
	}
	if !r.zoneinfo.isOpen() {
		return &sys.OpError{Doing: "open " + r.zoneinfo.name, Errno: sys.ENOENT}
	}
	l := r.zoneinfo.lines(r.buf)
	w.At = now
	if err := parseZoneinfo(&l, r.pageSize, w); err != nil {
		return err
	}
	r.marks, r.hasMarks = *w, true
	return nil
}

// openARC opens arcstats if ZFS is loaded by now.
func (r *Reader) openARC() {
	if r.arcPath == nil {
		return
	}
	r.arc.fd, _ = sys.OpenAt(sys.CWD, r.arcPath, sys.ReadOnly)
}
