package kill

import (
	"cmp"
	"context"
	"errors"
	"runtime"
	"slices"
	"strconv"

	"github.com/lmkd/lmkd/internal/sys"
)

// Member is one process of a group or tree that was killed.
type Member struct {
	PID      int
	Resident uint64 // bytes, before the signal
	Signal   Step   // when it was signalled by itself
	Reclaim  Reclaim
	Boost    Boost
	Gone     bool

	fd sys.FD
}

// members are open identities, to be closed together.
type members []*Member

func (m members) close() {
	for _, one := range m {
		_ = one.fd.Close()
	}
}

// openMember opens pid; nil when it has ended.
func openMember(pid int) (*Member, sys.Errno) {
	fd, e := sys.PidfdOpen(pid)
	if e == sys.ESRCH || e == sys.ENOENT || e == sys.EINVAL {
		return nil, 0 // ended between the list and here
	}
	if e != 0 {
		return nil, e
	}
	one := &Member{PID: pid, fd: fd}
	if dir, e := procDir(pid); e == 0 {
		one.Resident, _, _ = resident(dir.Int())
		_ = dir.Close()
	}
	return one, 0
}

// sizeOf gives what pid maps, in bytes.
func sizeOf(pid int) uint64 {
	dir, e := procDir(pid)
	if e != 0 {
		return 0
	}
	defer func() { _ = dir.Close() }()
	bytes, _, _ := resident(dir.Int())
	return bytes
}

// Fd gives the pidfd, borrowed until Close.
func (m *Member) Fd() int { return m.fd.Int() }

// Close gives the pidfd back.
func (m *Member) Close() error { return m.fd.Close() }

// dead reports whether the pidfd is ready.
func (m *Member) dead() bool {
	ready, e := sys.PollIn(m.fd.Int())
	return e == 0 && ready != 0
}

// largestFirst sorts by size, so that the reapers begin with what counts.
func (m members) largestFirst() {
	slices.SortFunc(m, func(a, b *Member) int {
		return cmp.Or(cmp.Compare(b.Resident, a.Resident), cmp.Compare(a.PID, b.PID))
	})
}

// fds gives every pidfd, borrowed.
func (m members) fds() []int {
	out := make([]int, len(m))
	for i, one := range m {
		out[i] = one.fd.Int()
	}
	return out
}

// burial is the reclaim of many at once, on reapers made for it before the
// first signal.
type burial struct {
	reapers *Reapers
	o       *Options
	all     members
	pending int
	note    error
}

func newBurial(o *Options) (*burial, error) {
	b := &burial{o: o}
	if !o.Expedite && !o.Boost {
		return b, nil
	}
	b.reapers, b.note = StartReapersOn(o.Thread, Workers(runtime.NumCPU()), o.Retry)
	if b.reapers == nil {
		return nil, b.note
	}
	return b, nil
}

// add hands every dying member over; where too many are pending, results are
// taken first.
func (b *burial) add(all members) {
	for _, one := range all {
		b.all = append(b.all, one)
		job := Job{
			Pidfd: one.fd.Int(), Token: uint64(len(b.all) - 1), Boost: b.o.Boost,
			Spare: !b.o.Expedite || one.Resident < b.o.Large,
		}
		if b.reapers == nil || job.Spare && !job.Boost {
			continue
		}
		for b.reapers.Hand(job) == sys.EAGAIN {
			b.collect(true)
		}
		b.pending++
	}
}

// collect takes the results that are there, or waits for one.
func (b *burial) collect(wait bool) {
	for b.pending > 0 {
		r, ok := b.reapers.Collect()
		if !ok {
			if !wait {
				return
			}
			_, _ = sys.PollFor(b.reapers.Fd(), -1)
			continue
		}
		one := b.all[r.Token]
		one.Reclaim, one.Boost = r.Reclaim, r.Boost
		b.pending--
		wait = false
	}
}

// finish waits for every reclaim and undoes every boost. It must be called once
// the members are gone, or given up.
func (b *burial) finish() error {
	var errs []error
	for b.pending > 0 {
		b.collect(true)
	}
	for _, one := range b.all {
		one.Gone = one.dead()
		if err := one.Boost.Undo(); err != nil {
			errs = append(errs, err)
		}
	}
	if b.reapers != nil {
		b.reapers.Close()
	}
	return errors.Join(errs...)
}

// signal sends sig through every pidfd that has not got it.
func (m members) signal(sig int) error {
	for _, one := range m {
		s := step()
		one.Signal = s.done(sys.PidfdSignal(one.fd.Int(), sig))
		if e := one.Signal.Errno; e != 0 && e != sys.ESRCH {
			return &opError{"send " + sys.SignalName(sig) + " to " + strconv.Itoa(one.PID), e}
		}
	}
	return nil
}

// wait waits until all are gone.
func (m members) wait(ctx context.Context) error { return await(ctx, m.fds()) }
