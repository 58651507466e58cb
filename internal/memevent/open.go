package memevent

import (
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/rlimit"

	"github.com/lmkd/lmkd/internal/sys"
)

// mmapable is BPF_F_MMAPABLE (Linux 5.5).
const mmapable = 1 << 10

// Open loads the programs and attaches them. From then on State tells the
// truth; nothing wakes before Arm but the OOM killer. The error is an *Error
// that says what the kernel refused and what cures it.
func Open() (*Source, error) {
	s := &Source{ownPIDs: sys.InitialPIDNamespace()}
	if err := s.open(); err != nil {
		_ = s.Close() // what the kernel refused is the error to tell
		return nil, err
	}
	return s, nil
}

func (s *Source) open() error {
	if err := s.openMaps(); err != nil {
		return err
	}
	p := programs{s.state.FD(), s.bell.FD()}
	s.noVictims = s.attachVictimPID(p)
	for _, t := range []struct {
		tracepoint string
		code       asm.Instructions
	}{
		{"mm_vmscan_kswapd_sleep", p.kswapdSleep()},
		{"mm_vmscan_kswapd_wake", p.kswapdWake()},
		{"mm_vmscan_direct_reclaim_end", p.directEnd()},
		{"mm_vmscan_direct_reclaim_begin", p.directBegin()},
		{"mark_victim", p.markVictim()},
	} {
		if err := s.attach(t.tracepoint, t.code); err != nil {
			return err
		}
	}
	s.noFaults = s.attachFaults(p)
	return nil
}

func (s *Source) openMaps() (err error) {
	// Kernels before 5.11 charge maps to RLIMIT_MEMLOCK. A refusal shows in
	// the creation of the map.
	_ = rlimit.RemoveMemlock()
	s.state, err = ebpf.NewMap(&ebpf.MapSpec{
		Name: "lmkd_state", Type: ebpf.Array, Flags: mmapable, MaxEntries: 1,
		KeySize: 4, ValueSize: uint32(unsafe.Sizeof(shared{})),
	})
	if err != nil {
		return explain("create BPF map for the reclaim state", err)
	}
	s.bell, err = ebpf.NewMap(&ebpf.MapSpec{
		Name: "lmkd_bell", Type: ebpf.RingBuf, MaxEntries: uint32(sys.Pagesize()),
	})
	if err != nil {
		return explain("create BPF ring buffer", err)
	}
	if s.ring, err = openRing(s.bell.FD()); err != nil {
		return explain("map BPF ring buffer", err)
	}
	if err = s.mapState(); err != nil {
		return explain("map the reclaim state", err)
	}
	return nil
}

// attach puts a program on a raw tracepoint: no tracefs, no perf event, no
// record that the kernel would format first, and no event dropped because
// another BPF program runs on the same processor.
func (s *Source) attach(tracepoint string, code asm.Instructions) error {
	prog, err := load(ebpf.RawTracepoint, "lmkd", code)
	if err != nil {
		return explain("load BPF program for "+tracepoint, err)
	}
	s.attached = append(s.attached, prog)
	l, err := link.AttachRawTracepoint(link.RawTracepointOptions{Name: tracepoint, Program: prog})
	if err != nil {
		return explain("attach to tracepoint "+tracepoint, err)
	}
	s.attached = append(s.attached, l)
	return nil
}

// attachVictimPID puts a program on the formatted event mark_victim where
// tracefs tells its layout. Where not, kernels whose raw event carries the pid
// still tell it.
func (s *Source) attachVictimPID(p programs) error {
	offset, err := victimOffset("/")
	if err != nil {
		return err
	}
	prog, err := load(ebpf.TracePoint, "lmkd_victim", p.victimPID(offset))
	if err != nil {
		return explain("load BPF program for the pid of mark_victim", err)
	}
	s.attached = append(s.attached, prog)
	l, err := link.Tracepoint("oom", "mark_victim", prog, nil)
	if err != nil {
		return explain("attach to event oom/mark_victim", err)
	}
	s.attached = append(s.attached, l)
	return nil
}
