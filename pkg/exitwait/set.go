package exitwait

import (
	"context"
	"sync"

	"github.com/lmkd/lmkd/internal/sys"
)

// Set waits for any number of processes at once: one thread, one epoll, no
// allocation for an exit. It may be filled from any goroutine, also during a
// Wait.
type Set struct {
	waiting sync.Mutex // held by the one Wait
	events  []sys.Event

	mu    sync.Mutex
	epoll *sys.Epoll
	bell  *sys.Eventfd // wakes the waiting goroutine
	index map[*Process]uint32
	slots []slot
	free  []uint32
}

// slot is the place of one member. Its turn tells an event of the member from
// one of an earlier member of the same place.
type slot struct {
	process *Process
	fd      int // borrowed from the process
	turn    uint32
}

// bellToken is no member's token.
const bellToken = ^uint64(0)

// NewSet makes an empty set. It holds two descriptors until Close.
func NewSet() (*Set, error) {
	const batch = 256
	epoll, err := sys.NewEpoll(batch)
	if err != nil {
		return nil, err
	}
	bell, err := sys.NewEventfd()
	if err != nil {
		_ = epoll.Close()
		return nil, err
	}
	s := &Set{epoll: epoll, bell: bell, index: map[*Process]uint32{}, events: make([]sys.Event, batch)}
	if e := epoll.Add(bell.Fd(), sys.In, bellToken); e != 0 {
		_ = s.Close()
		return nil, &opError{"watch eventfd", e}
	}
	return s, nil
}

// Add makes p a member until its exit is reported, or Remove. A process that
// has exited is reported at once. Remove it before closing it. Adding a member
// again does nothing; ErrClosed when p is closed.
func (s *Set) Add(p *Process) error {
	return s.add(p, p.Fd())
}

func (s *Set) add(p *Process, fd int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, member := s.index[p]; member {
		return nil
	}
	if fd < 0 {
		return ErrClosed
	}
	at := s.place()
	if e := s.epoll.Add(fd, sys.In, s.token(at)); e != 0 {
		s.free = append(s.free, at)
		return &opError{"watch process", e}
	}
	s.slots[at].process, s.slots[at].fd, s.index[p] = p, fd, at
	return nil
}

// place finds a slot for a new member.
func (s *Set) place() uint32 {
	if n := len(s.free); n > 0 {
		at := s.free[n-1]
		s.free = s.free[:n-1]
		return at
	}
	s.slots = append(s.slots, slot{})
	return uint32(len(s.slots) - 1)
}

func (s *Set) token(at uint32) uint64 { return uint64(s.slots[at].turn)<<32 | uint64(at) }

// Remove takes p out; its exit is not reported any more. Removing a stranger
// does nothing.
func (s *Set) Remove(p *Process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at, member := s.index[p]; member {
		s.drop(at)
	}
}

// drop empties a slot.
func (s *Set) drop(at uint32) {
	_ = s.epoll.Remove(s.slots[at].fd)
	delete(s.index, s.slots[at].process)
	s.slots[at] = slot{turn: (s.slots[at].turn + 1) & 0x7fffffff}
	s.free = append(s.free, at)
}

// Len gives the number of members.
func (s *Set) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.index)
}

// Fd gives the set's own descriptor for a caller's epoll: readable when a
// member has exited.
func (s *Set) Fd() int { return s.epoll.Fd() }

// Wait waits until members have exited, puts up to len(out) of them into out,
// and takes them out of the set: the number of them, or the cause of ctx. An
// empty set waits for a member to be added. One Wait runs at a time.
func (s *Set) Wait(ctx context.Context, out []*Process) (int, error) {
	if ctx.Done() != nil {
		rung := make(chan struct{})
		stop := context.AfterFunc(ctx, func() {
			s.bell.Notify()
			close(rung)
		})
		defer func() {
			if !stop() {
				<-rung // before somebody closes the bell
			}
		}()
	}
	n, err := s.wait(out, func() bool { return ctx.Err() != nil })
	if err == nil && n == 0 {
		err = context.Cause(ctx)
	}
	return n, err
}

// wait is Wait with the question, asked whenever the bell rang, whether to give
// up.
func (s *Set) wait(out []*Process, over func() bool) (int, error) {
	s.waiting.Lock()
	defer s.waiting.Unlock()
	for {
		n, e := s.epoll.Wait(s.events[:min(len(s.events), len(out))], -1)
		if e != 0 {
			return 0, &opError{"wait for processes", e}
		}
		n, rang := s.collect(s.events[:n], out)
		if n > 0 || rang && over() {
			return n, nil
		}
	}
}

// collect takes the members that events name out of the set, into out.
func (s *Set) collect(events []sys.Event, out []*Process) (n int, rang bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ev := range events {
		if ev.Token == bellToken {
			s.bell.Clear()
			rang = true
			continue
		}
		at := uint32(ev.Token)
		p := s.slots[at].process
		if p == nil || s.token(at) != ev.Token {
			continue // removed after the kernel had reported it
		}
		if ready, _ := sys.PollIn(s.slots[at].fd); ready == 0 {
			continue // not so: see Process.look
		}
		s.drop(at)
		out[n] = p
		n++
	}
	return n, rang
}

// Close gives the descriptors back. The members stay open. Nobody may be in
// Wait.
func (s *Set) Close() error {
	err := s.epoll.Close()
	if e := s.bell.Close(); err == nil {
		err = e
	}
	return err
}
