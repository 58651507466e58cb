package relief

import (
	"runtime"
	"sync/atomic"
	"time"

	"github.com/lmkd/lmkd/internal/engine"
	"github.com/lmkd/lmkd/internal/sys"
)

// Tools are what the workers of one daemon share.
type Tools struct {
	Cgroups string // Root
	Note    *Note
	Dry     bool // find and guard, and change nothing
	// Guard says why a process must not stand still, and is empty when it may.
	// Several workers call it at once.
	Guard func(pid int32) string
	Say   func(format string, args ...any)
}

// Result is how an act went.
type Result struct {
	Errno   sys.Errno // the first that a cgroup answered with; EPERM for one that was spared
	Cgroups int       // how many the act reached
	Bytes   uint64    // how much less they hold, after a reclaim
	Took    time.Duration
}

// The states of a worker. Its result belongs to the loop while it is idle or
// finished, and to the worker while an act runs.
const (
	idle uint32 = iota
	asked
	finished
)

// Worker is one act of a policy, with its thread.
type Worker struct {
	act    engine.Relief
	tools  *Tools
	wake   *sys.Eventfd // the loop spoke
	done   *sys.Eventfd // the worker spoke: the loop's, shared by all workers
	until  atomic.Int64 // when the act is over, CLOCK_MONOTONIC; 0 for now
	state  atomic.Uint32
	quit   atomic.Bool
	ended  chan struct{}
	result Result
}

// Start makes the thread of an act that reclaims or freezes. done is notified
// when there is something to Collect.
func Start(act engine.Relief, t *Tools, done *sys.Eventfd) (*Worker, error) {
	w := &Worker{act: act, tools: t, done: done, ended: make(chan struct{})}
	var err error
	if w.wake, err = sys.NewEventfd(); err != nil {
		return nil, err
	}
	ready := make(chan struct{})
	go w.run(ready)
	<-ready
	return w, nil
}

// Begin lets the act run for its time. It is called by the loop, between the
// end of one run and the next; it allocates nothing and never blocks.
func (w *Worker) Begin(now time.Duration) {
	w.until.Store(int64(now + w.act.For))
	w.state.Store(asked)
	w.wake.Notify()
}

// End ends the act soon. It never blocks.
func (w *Worker) End() {
	w.until.Store(0)
	w.wake.Notify()
}

// Collect gives the result of an act that has ended, once.
func (w *Worker) Collect() (Result, bool) {
	if w.state.Load() != finished {
		return Result{}, false
	}
	r := w.result
	w.state.Store(idle)
	return r, true
}

// closePatience is how long Close waits for a worker. A reclaim that blocks is
// left to the end of the process; a thaw takes microseconds.
const closePatience = 2 * time.Second

// Leave ends the act, what is frozen is thawed, and the thread, without waiting:
// done is notified when Left may say so.
func (w *Worker) Leave() {
	w.quit.Store(true)
	w.End()
}

// Left tells that the thread has ended, and gives back what it had.
func (w *Worker) Left() bool {
	select {
	case <-w.ended:
		return w.wake.Close() == nil
	default:
		return false
	}
}

// Close leaves and waits; false when a reclaim blocks still.
func (w *Worker) Close() bool {
	w.Leave()
	select {
	case <-w.ended:
		return w.wake.Close() == nil
	case <-time.After(closePatience):
		return false
	}
}

// run is the worker's life.
func (w *Worker) run(ready chan<- struct{}) {
	runtime.LockOSThread()
	if w.act.Act == engine.Freeze {
		_ = sys.SetNice(-20) // a thaw must not wait its turn on a busy machine
	}
	close(ready)
	defer func() {
		w.done.Notify()
		close(w.ended) // from here on nothing of the loop's is used
	}()
	for !w.quit.Load() {
		if w.state.Load() != asked {
			w.wait(-1)
			continue
		}
		w.result = w.do()
		w.state.Store(finished)
		w.done.Notify()
	}
}

func (w *Worker) do() Result {
	start := sys.Now()
	act := w.reclaim
	if w.act.Act == engine.Freeze {
		act = w.freeze
	}
	r := act()
	r.Took = sys.Now() - start
	return r
}

// over tells that the act's time is over.
func (w *Worker) over() bool { return w.quit.Load() || w.left() <= 0 }

// wait waits for the loop, for d at most; -1 for ever.
func (w *Worker) wait(d time.Duration) {
	ms := -1
	if d >= 0 {
		ms = int((d + time.Millisecond - 1) / time.Millisecond)
	}
	if ready, _ := sys.PollFor(w.wake.Fd(), ms); ready != 0 {
		w.wake.Clear()
	}
}
