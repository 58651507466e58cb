package kill

import (
	"runtime"
	"sync/atomic"

	"github.com/lmkd/lmkd/internal/sys"
)

// Reapers are threads, made at start, that call process_mrelease so that the
// loop never does. Each sleeps in the kernel until work comes; handing work
// over takes no lock and allocates nothing. What is handed over while all are
// at work waits for the first that is free, so that the victims of a group go
// as many at a time as there are threads. One goroutine hands over, and the
// same one collects.
type Reapers struct {
	slots   [Pending]slot
	workers []*Worker
	retry   Retry
	thread  Thread
	work    *sys.Eventfd // a semaphore: one for each loaded slot
	done    *sys.Eventfd // readable when a result waits
	closing atomic.Bool
	ended   chan struct{}
}

// Pending is how many reclaims may be handed over and not yet collected.
const Pending = 64

// Workers gives how many threads reclaim for a machine of n processors: one
// each, up to four.
func Workers(n int) int { return max(1, min(n, 4)) }

// Job is one thing to do for a dying process.
type Job struct {
	Pidfd int    // borrowed for the hand-over
	Token uint64 // comes back with the result
	// Boost lifts what slows the death, see Boost, around the reclaim: its
	// threads' classes before, its cgroups after.
	Boost bool
	// Spare leaves the memory alone, for the small ones that only want a boost.
	Spare bool
	// Look only looks what keeps it: Result.Condition.
	Look bool
}

// Result is a finished job.
type Result struct {
	Token uint64
	Reclaim
	Boost Boost // to be undone once the victim is gone
	// Looked says that this answers a Look. Condition is set then, and for a
	// boosted reclaim that was refused with EINVAL: it holds Shared when a
	// living process has the same address space.
	Looked    bool
	Condition Condition
}

// Worker is one thread as the kernel saw it at its start.
type Worker struct {
	TID    int
	Policy int // sys.SchedOther
	Nice   int
	err    error
}

type slotState uint32

const (
	idle slotState = iota
	loaded
	taken
	finished
)

// slot is one job. Its fields belong to the owner of Reapers while the state is
// idle or finished, and to one worker while it is taken.
type slot struct {
	state  atomic.Uint32
	job    Job
	pidfd  sys.FD
	result Result
}

// StartReapers starts n threads that reap with the given bounds. The error
// tells of threads that run without their priority, and of none else, unless
// the Reapers are nil: they work all the same.
func StartReapers(n int, retry Retry) (*Reapers, error) {
	return StartReapersOn(DefaultThread, n, retry)
}

// StartReapersOn is StartReapers with threads of the caller's choice.
func StartReapersOn(t Thread, n int, retry Retry) (*Reapers, error) {
	r := &Reapers{retry: retry, thread: t, ended: make(chan struct{}, n)}
	var err error
	if r.done, err = sys.NewEventfd(); err != nil {
		return nil, err
	}
	if r.work, err = sys.NewSemaphore(); err != nil {
		_ = r.done.Close()
		return nil, err
	}
	ready := make(chan *Worker, n)
	for range n {
		go r.run(ready)
	}
	for range n {
		w := <-ready
		r.workers = append(r.workers, w)
		if w.err != nil {
			err = w.err
		}
	}
	return r, err
}

// Threads tells how the workers run.
func (r *Reapers) Threads() []Worker {
	out := make([]Worker, 0, len(r.workers))
	for _, w := range r.workers {
		out = append(out, *w)
	}
	return out
}

// Fd gives a descriptor that is readable while Collect has results.
func (r *Reapers) Fd() int { return r.done.Fd() }

// Submit hands the memory of the dying process behind pidfd to a worker, which
// works on a copy of the descriptor. EAGAIN: too much is pending.
func (r *Reapers) Submit(pidfd int, token uint64) sys.Errno {
	return r.Hand(Job{Pidfd: pidfd, Token: token})
}

// Hand hands a job to a worker. EAGAIN: too much is pending.
func (r *Reapers) Hand(job Job) sys.Errno {
	for i := range r.slots {
		s := &r.slots[i]
		if slotState(s.state.Load()) != idle {
			continue
		}
		copied, e := sys.Dup(job.Pidfd)
		if e != 0 {
			return e
		}
		s.pidfd, s.job, s.result = copied, job, Result{Token: job.Token}
		s.state.Store(uint32(loaded))
		r.work.Notify()
		return 0
	}
	return sys.EAGAIN
}

// Collect gives one finished result, false when there is none.
func (r *Reapers) Collect() (Result, bool) {
	r.done.Clear()
	for i := range r.slots {
		s := &r.slots[i]
		if slotState(s.state.Load()) == finished {
			out := s.result
			s.result = Result{}
			s.state.Store(uint32(idle))
			r.done.Notify() // there may be more
			return out, true
		}
	}
	return Result{}, false
}

// Close stops the workers once they have finished what was handed over.
func (r *Reapers) Close() {
	r.closing.Store(true)
	for range r.workers { // a Take without a slot ends a worker
		r.work.Notify()
	}
	for range r.workers {
		<-r.ended
	}
	_ = r.work.Close()
	_ = r.done.Close()
}

// run is one worker's life: take, reap, tell.
func (r *Reapers) run(ready chan<- *Worker) {
	runtime.LockOSThread() // the thread dies with the goroutine, and its priority with it
	w := &Worker{err: r.thread.enter(), TID: sys.Gettid()}
	if s, e := sys.GetSched(0); e == 0 {
		w.Policy, w.Nice = s.Policy(), s.Nice()
	}
	ready <- w
	for {
		if e := r.work.Take(); e != 0 {
			break
		}
		s := r.take()
		if s == nil {
			break
		}
		s.job.do(s.pidfd.Int(), r.retry, &s.result)
		_ = s.pidfd.Close()
		s.state.Store(uint32(finished))
		r.done.Notify()
	}
	r.ended <- struct{}{}
}

// take claims a loaded slot, nil once there is none after Close. For every Take
// before it there is one, but it may be loaded behind a search that has passed
// it while another worker claims the one ahead: hence again.
func (r *Reapers) take() *slot {
	for {
		last := r.closing.Load()
		for i := range r.slots {
			if r.slots[i].state.CompareAndSwap(uint32(loaded), uint32(taken)) {
				return &r.slots[i]
			}
		}
		if last {
			return nil
		}
	}
}

// do carries a job out: the class first, for a starved victim would let go of
// its memory and then free it never; the memory; then what costs file writes.
func (j *Job) do(pidfd int, retry Retry, out *Result) {
	var v *Victim
	if j.Boost || j.Look {
		if v, _ = openPidfd(pidfd); v != nil {
			defer func() { _ = v.Close() }()
		}
	}
	if out.Looked = j.Look; j.Look {
		if out.Condition = (Condition{Dead: true}); v != nil {
			out.Condition = v.Look()
		}
		return
	}
	if v != nil {
		out.Boost.liftThreads(v)
	}
	if !j.Spare {
		out.Reclaim = Reap(pidfd, retry)
	}
	if v != nil {
		out.explain(v)
		out.Boost.liftGroups(v)
	}
}

// explain finds out why the kernel called a reclaim invalid.
func (r *Result) explain(v *Victim) {
	if !r.Taken() || r.Errno != sys.EINVAL {
		return
	}
	r.Condition = v.Look()
	if r.Condition.invalid() == ErrShared {
		r.Condition.Holds |= Shared
	}
}
