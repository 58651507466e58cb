package memevent

import (
	"errors"
	"io"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"

	"github.com/lmkd/lmkd/internal/sys"
)

// Source is the kernel's reclaim and OOM events. It has one owner, which closes
// it, and is not safe for concurrent use.
type Source struct {
	state, bell *ebpf.Map
	mem         sys.Mapping
	shared      *shared
	ring        ring
	attached    []io.Closer
	told        uint64 // OOM kills already given by Drain
	ownPIDs     bool   // the kernel's thread ids are ours
	noVictims   error
	noFaults    error
	unsummed    *ebpf.Map // page faults of each CPU, nil where perf events count them
}

// Fd gives the descriptor for the daemon's epoll, readable (EPOLLIN) when
// something woke. It is borrowed until Close.
func (s *Source) Fd() int { return s.bell.FD() }

// Arm lets the next event of these kinds that happens at notBefore or later
// (CLOCK_MONOTONIC; 0 means at once) make the descriptor readable, once. What
// was going on before makes no event: look at State after Arm, then wait. A
// kswapd that stays awake makes one each round, so that it wakes a daemon that
// arms with a notBefore in the future: a bound on wakes without a timer. Faults
// wakes once page faults have brought so many pages since, counted in steps of
// a megabyte on each CPU: what a task takes in other ways is not among them.
func (s *Source) Arm(kinds Kinds, notBefore time.Duration, pages uint64) {
	s.shared.arm(kinds, notBefore, pages)
}

// Disarm lets nothing but KernelOOM make the descriptor readable.
func (s *Source) Disarm() { s.shared.arm(0, 0, 0) }

// Drain takes the readiness back and says what woke and when: no kinds when it
// was told already. The record is consumed before the words are read, so that
// an event in between is told twice rather than never.
func (s *Source) Drain() Wake {
	s.ring.clear()
	return s.shared.woke(&s.told)
}

// State gives the present state by loads from shared memory.
func (s *Source) State() State { return s.shared.read() }

// Overflowed counts the direct reclaims since Open that State did not see
// because too many tasks were in it at once.
func (s *Source) Overflowed() uint64 { return s.shared.overflowed() }

// Sweep forgets tasks in direct reclaim that exist no more and gives their
// number. It makes a system call for each task in direct reclaim; call it
// before a kill is justified by OldestDirect.
func (s *Source) Sweep() int {
	if !s.ownPIDs {
		return 0
	}
	return s.shared.sweep(sys.TaskExists)
}

// Victims says why LastVictim stays 0 on kernels whose raw event carries no pid,
// and what cures it; nil when every kernel tells it.
func (s *Source) Victims() error { return s.noVictims }

// Faults says why no page faults are counted and Faults never wakes, and what
// cures it; nil when they are.
func (s *Source) Faults() error { return s.noFaults }

// Close detaches the programs and gives everything back.
func (s *Source) Close() error {
	var errs []error
	for i := len(s.attached) - 1; i >= 0; i-- {
		errs = append(errs, s.attached[i].Close())
	}
	s.attached, s.shared = nil, nil
	return errors.Join(append(errs, s.ring.close(), s.mem.Close(), s.bell.Close(), s.state.Close())...)
}

// mapState maps the one value of the state map.
func (s *Source) mapState() error {
	mem, err := sys.MapShared(s.state.FD(), 0, int(unsafe.Sizeof(shared{})), true)
	if err != nil {
		return err
	}
	s.mem = mem
	s.shared = (*shared)(unsafe.Pointer(&mem.Bytes()[0]))
	return nil
}
