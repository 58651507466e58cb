package daemon

import (
	"runtime"
	"time"

	"github.com/lmkd/lmkd/internal/memory"
	"github.com/lmkd/lmkd/internal/process"
	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/exitwait"
	"github.com/lmkd/lmkd/pkg/kill"
	"github.com/lmkd/lmkd/pkg/pressure"
	"github.com/lmkd/lmkd/pkg/victim"
)

// watchdog stands in for a loop that hangs. The loop arms its timer when it
// begins to handle events and disarms it before it waits again, so that at rest
// no timer runs. It shares nothing with the loop but the policy, which nobody
// changes: its own thread, its own eyes, the same rules.
type watchdog struct {
	timer   *sys.Timerfd
	limit   time.Duration
	policy  *watchPolicy
	memory  *memory.Reader
	table   *process.Table
	killer  killer
	clients Clients
	say     func(format string, args ...any)
	victim  exitwait.Process
	sample  pressure.Sample
	ranking victim.Ranking
}

// watchPolicy is the part of the policy that a stand-in needs.
type watchPolicy struct {
	pressure pressure.Policy
	victim   victim.Policy
}

// openWatchdog makes a watchdog with everything that it will ever hold; nil
// when limit is 0.
func (d *Daemon) openWatchdog() (*watchdog, error) {
	if d.opt.Watchdog <= 0 {
		return nil, nil
	}
	w := &watchdog{
		limit: d.opt.Watchdog, killer: d.killer(), clients: d.opt.clients(), say: d.opt.Say,
		policy:  &watchPolicy{d.opt.Policy.Pressure, d.opt.Policy.Victim},
		ranking: victim.Ranking{Places: make([]victim.Place, 0, finalists)},
	}
	var err error
	if w.timer, err = sys.NewTimerfd(); err != nil {
		return nil, err
	}
	if w.memory, err = memory.Open(d.opt.Root); err != nil {
		return nil, err
	}
	if w.table, err = process.Open(d.opt.Root, process.Options{Own: int32(sys.Getpid()), Finalists: finalists}); err != nil {
		return nil, err
	}
	w.choose() // a rehearsal
	go w.run()
	return w, nil
}

// busy and idle are the loop's: it begins to handle events, and waits again.
func (w *watchdog) busy() {
	if w != nil {
		w.timer.Arm(w.limit)
	}
}

func (w *watchdog) idle() {
	if w != nil {
		w.timer.Arm(0)
	}
}

// run waits for the timer for as long as the process lives.
func (w *watchdog) run() {
	runtime.LockOSThread()
	_ = sys.SetFIFO(1)
	for w.timer.Wait() > 0 {
		w.stand()
	}
}

// stand kills one process if memory is short, by the loop's own rules.
func (w *watchdog) stand() {
	verdict, p := w.choose()
	if !verdict.Act {
		w.say("watchdog: the loop has hung for %v; memory is not short, so nothing is killed", w.limit)
		return
	}
	if p == nil {
		w.say("watchdog: the loop has hung for %v and nobody qualifies for %v", w.limit, verdict.Reason)
		return
	}
	w.say("watchdog: the loop has hung for %v: Kill %q (%d), uid %d, oom_score_adj %d to free %dkB rss, %dkB swap; reason: %v",
		w.limit, p.Name(), p.PID, p.UID, p.Adj, p.RSS>>10, p.Swap>>10, verdict.Reason)
	if err := w.victim.Reset(int(p.PID)); err != nil {
		w.say("watchdog: open pidfd %d: %v", p.PID, err)
		return
	}
	defer w.victim.Close()
	if e := w.killer.signal(&w.victim, p.StartTime, sys.SIGKILL); e != 0 {
		w.say("watchdog: signal %d: %v", p.PID, e)
		return
	}
	r := kill.Reap(w.victim.Fd(), kill.DefaultRetry)
	ready, _ := sys.PollFor(w.victim.Fd(), int(w.limit/time.Millisecond))
	w.say("watchdog: process_mrelease %s in %v, gone: %v", sys.ErrnoName(r.Errno), r.Took, ready != 0)
}

// choose looks at memory as after a complete stall, which a loop that hangs is,
// and ranks the processes if that is a reason to act.
func (w *watchdog) choose() (pressure.Verdict, *victim.Process) {
	now := sys.Now()
	_ = w.memory.Watermarks(now, &w.sample.Watermarks)
	if err := w.memory.Sample(now, &w.sample); err != nil {
		return pressure.Verdict{}, nil
	}
	var st pressure.State
	v := pressure.Judge(&w.policy.pressure, &st, &pressure.Input{Sample: &w.sample, Event: pressure.LevelCritical})
	q := victim.Query{MinAdj: v.MinAdj}
	m := &w.sample.Memory
	found, _, err := w.table.Candidates(process.Ask{
		Policy: &w.policy.victim, Query: q, Roll: w.clients.Roll(), Shmem: m.Shmem,
		RAM: m.Total, Swap: m.SwapTotal, SwapUsed: m.SwapTotal - min(m.SwapTotal, m.SwapFree),
	})
	if err != nil {
		return v, nil
	}
	w.policy.victim.Rank(&q, found, &w.ranking)
	i, ok := w.ranking.Winner()
	if !ok {
		return v, nil
	}
	return v, &found[i]
}
