package kill

import (
	"runtime"
	"sync/atomic"

	"github.com/lmkd/lmkd/internal/sys"
)

// ReaperNice is the nice value of the worker threads: quick, but never
// real-time, so that reclaiming can not starve the machine that it is to help.
const ReaperNice = -20

// Reapers are threads, made at start, that call process_mrelease so that the
// loop never does. Each sleeps in the kernel until work comes; handing work
// over takes no lock and allocates nothing. One goroutine hands over, and the
// same one collects.
type Reapers struct {
	workers []*reaper
	retry   Retry
	done    *sys.Eventfd // readable when a result waits
}

// Result is a finished reclaim and the token that it was submitted with.
type Result struct {
	Token uint64
	Reclaim
}

type reaperState uint32

const (
	idle reaperState = iota
	loaded
	finished
	stopping
)

// reaper is one worker. Its fields belong to the worker while the state is
// loaded, and to the owner of Reapers otherwise.
type reaper struct {
	state  atomic.Uint32
	wake   *sys.Eventfd
	pidfd  sys.FD
	result Result
	err    error // of the thread's start
}

// StartReapers starts n threads that reap with the given bounds. The error
// tells of threads that run without their nice value, and of none else: they
// work all the same.
func StartReapers(n int, retry Retry) (*Reapers, error) {
	done, err := sys.NewEventfd()
	if err != nil {
		return nil, err
	}
	r := &Reapers{retry: retry, done: done}
	ready := make(chan *reaper, n)
	for range n {
		wake, err := sys.NewEventfd()
		if err != nil {
			r.Close()
			return nil, err
		}
		w := &reaper{wake: wake}
		r.workers = append(r.workers, w)
		go w.run(r, ready)
	}
	var niceErr error
	for range r.workers {
		if w := <-ready; w.err != nil {
			niceErr = w.err
		}
	}
	return r, niceErr
}

// Fd gives a descriptor that is readable while Collect has results.
func (r *Reapers) Fd() int { return r.done.Fd() }

// Submit hands the memory of the dying process behind pidfd to a free worker,
// which works on a copy of the descriptor. EAGAIN: all workers are busy.
func (r *Reapers) Submit(pidfd int, token uint64) sys.Errno {
	for _, w := range r.workers {
		if reaperState(w.state.Load()) != idle {
			continue
		}
		copied, e := sys.Dup(pidfd)
		if e != 0 {
			return e
		}
		w.pidfd, w.result = copied, Result{Token: token}
		w.state.Store(uint32(loaded))
		w.wake.Notify()
		return 0
	}
	return sys.EAGAIN
}

// Collect gives one finished result, false when there is none.
func (r *Reapers) Collect() (Result, bool) {
	r.done.Clear()
	for _, w := range r.workers {
		if reaperState(w.state.Load()) == finished {
			out := w.result
			w.state.Store(uint32(idle))
			r.done.Notify() // there may be more
			return out, true
		}
	}
	return Result{}, false
}

// Close stops the workers once they have finished what they are at.
func (r *Reapers) Close() {
	for _, w := range r.workers {
		for !w.state.CompareAndSwap(uint32(idle), uint32(stopping)) {
			if _, ok := r.Collect(); !ok {
				_, _ = sys.PollFor(r.done.Fd(), -1)
			}
		}
		w.wake.Notify()
	}
	_ = r.done.Close()
}

func (w *reaper) run(r *Reapers, ready chan<- *reaper) {
	runtime.LockOSThread() // the thread dies with the goroutine, and its nice value with it
	w.err = sys.SetNice(ReaperNice)
	ready <- w
	for {
		_, _ = sys.PollFor(w.wake.Fd(), -1)
		w.wake.Clear()
		switch reaperState(w.state.Load()) {
		case loaded:
			w.result.Reclaim = Reap(w.pidfd.Int(), r.retry)
			_ = w.pidfd.Close()
			w.state.Store(uint32(finished))
			r.done.Notify()
		case stopping:
			_ = w.wake.Close()
			return
		}
	}
}
