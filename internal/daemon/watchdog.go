package daemon

import (
	"runtime"
	"time"

	"github.com/lmkd/lmkd/internal/engine"
	"github.com/lmkd/lmkd/internal/memory"
	"github.com/lmkd/lmkd/internal/process"
	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/exitwait"
	"github.com/lmkd/lmkd/pkg/kill"
	"github.com/lmkd/lmkd/pkg/pressure"
	"github.com/lmkd/lmkd/pkg/victim"
)

// WatchdogDomain is the number of the watchdog's own domain in the record: what it
// sees and decides is a run of the engine like any other.
const WatchdogDomain = 1<<16 - 1

// watchdog stands in for a loop that hangs. The loop arms its timer when it
// begins to handle events and disarms it before it waits again, so that at rest
// no timer runs. It shares nothing with the loop but the policy, which nobody
// changes: its own thread, its own eyes, its own engine, the same rules. It kills
// one process a hang, never those who would die with it.
type watchdog struct {
	timer   *sys.Timerfd
	limit   time.Duration
	policy  *engine.Policy
	state   *engine.State
	record  Recorder
	memory  *memory.Reader
	table   *process.Table
	killer  killer
	clients Clients
	say     func(format string, args ...any)

	victim     exitwait.Process
	dying      bool // victim is open
	killed     bool // in this hang
	until      time.Duration
	sample     pressure.Sample
	marks      pressure.Watermarks
	verdict    pressure.Verdict // the last one
	candidates []victim.Process
	in         engine.Input
}

// WatchdogPolicy is the watchdog's: the machine's, with nothing softer than a kill.
// Who stands in for a loop that hangs neither does that nor waits for it.
func WatchdogPolicy(p *engine.Policy) engine.Policy {
	own := *p
	own.Relief = nil
	return own
}

// openWatchdog makes a watchdog with everything that it will ever hold; nil
// when its limit is 0.
func (d *Daemon) openWatchdog(p *engine.Policy) (*watchdog, error) {
	if d.opt.Watchdog <= 0 {
		return nil, nil
	}
	own := WatchdogPolicy(p)
	w := &watchdog{
		limit: d.opt.Watchdog, killer: d.killer(), clients: d.opt.clients(), say: d.opt.Say,
		policy: &own, state: engine.NewState(finalists), record: d.opt.WatchdogRecord(),
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
	w.look(true) // a rehearsal
	w.list(&engine.Action{Query: victim.Query{MinAdj: -1000}})
	return w, nil
}

// start lets it wait for its timer.
func (w *watchdog) start() {
	if w != nil {
		go w.run()
	}
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

// stand looks as after a complete stall, which a loop that hangs is, and sees to
// one kill if memory is short.
func (w *watchdog) stand() {
	w.say("watchdog: the loop has hung for %v", w.limit)
	w.killed = false
	w.handle(engine.Input{Kind: engine.Woken, Source: engine.FromPSI, Event: pressure.LevelCritical})
	if w.in.Kind == engine.Woken { // it had stopped in the middle: begin anew
		w.handle(engine.Input{Kind: engine.Started})
	}
	switch v := &w.verdict; {
	case w.killed: // the record tells of it
	case v.Act:
		w.say("watchdog: nobody is killed for %v", v.Reason)
	default:
		w.say("watchdog: memory is not short, so nothing is killed")
	}
	w.bury()
	w.record.Notify()
}

// handle steps the engine with in and with the answers to its actions. The record
// is made before the actions.
func (w *watchdog) handle(in engine.Input) {
	w.in = in
	for more := true; more; {
		w.in.At = sys.Now()
		out := engine.Step(w.policy, w.state, &w.in)
		w.record.Append(WatchdogDomain, &w.in, out)
		if out.Verdict != nil {
			w.verdict = *out.Verdict
		}
		more = false
		for i := range out.Actions {
			more = w.do(&out.Actions[i]) || more
		}
	}
}

// do carries out one action; true when the answer is the next input.
func (w *watchdog) do(a *engine.Action) bool {
	switch a.Do {
	case engine.Sample:
		w.look(a.Watermarks)
	case engine.List:
		if w.killed {
			return false
		}
		w.list(a)
	case engine.Kill:
		w.strike(a)
	case engine.Escalate:
		e := w.killer.signal(&w.victim, w.victim.StartTime(), sys.SIGKILL)
		w.in = engine.Input{Kind: engine.Signalled, Errno: int32(e)}
	case engine.Abandon:
		w.forget()
		return false
	case engine.Wait:
		w.until = a.Until
		return false
	default:
		return false
	}
	return true
}

// look answers Sample.
func (w *watchdog) look(marks bool) {
	now := sys.Now()
	if marks {
		_ = w.memory.Watermarks(now, &w.marks)
	}
	err := w.memory.Sample(now, &w.sample)
	w.sample.Watermarks = w.marks
	w.in = engine.Input{Kind: engine.Sampled, Sample: &w.sample, Errno: int32(sys.ErrnoOf(err))}
}

// list answers List.
func (w *watchdog) list(a *engine.Action) {
	start := sys.Now()
	m := &w.sample.Memory
	found, stats, err := w.table.Candidates(process.Ask{
		Policy: &w.policy.Victim, Query: a.Query, Dying: w.policy.CountDying,
		Roll: w.clients.Roll(), Available: m.Available, Shmem: m.Shmem, Mlocked: m.Mlocked,
		RAM: m.Total, Swap: m.SwapTotal, SwapUsed: m.SwapTotal - min(m.SwapTotal, m.SwapFree),
	})
	w.candidates = found
	w.in = engine.Input{Kind: engine.Listed, Candidates: found, Errno: int32(sys.ErrnoOf(err))}
	w.in.Listing = engine.Listing{
		Seen: stats.Seen, Refused: stats.Refused, Detailed: stats.Detailed, Took: sys.Now() - start,
	}
}

// strike answers Kill.
func (w *watchdog) strike(a *engine.Action) {
	start, target, sig := sys.Now(), &w.candidates[a.Index], sys.SIGKILL
	if a.Soft {
		sig = sys.SIGTERM
	}
	w.killed = true
	e := sys.ErrnoOf(w.victim.Reset(int(target.PID)))
	if e == 0 {
		w.dying = true
		if e = w.killer.signal(&w.victim, target.StartTime, sig); e != 0 {
			w.forget()
		}
	}
	w.in = engine.Input{Kind: engine.Signalled, Errno: int32(e), Took: sys.Now() - start}
}

// bury takes the victim's memory back and waits for its end, or until the engine
// gives it up. The publisher is told before each wait.
func (w *watchdog) bury() {
	for back := false; w.dying; {
		w.record.Notify()
		if r := kill.Reap(w.victim.Fd(), kill.DefaultRetry); r.OK() && !back {
			back = true
			w.handle(engine.Input{Kind: engine.Reaped, Took: r.Took})
		}
		for pause := w.until - sys.Now(); pause > 0 && w.running(pause); pause = w.until - sys.Now() {
		}
		if w.dying && !w.running(0) {
			w.forget()
			w.handle(engine.Input{Kind: engine.Exited})
			return
		}
		w.handle(engine.Input{Kind: engine.Elapsed})
	}
}

// running waits up to pause for the victim's end, and reports whether it runs on.
func (w *watchdog) running(pause time.Duration) bool {
	ready, e := sys.PollFor(w.victim.Fd(), int((pause+time.Millisecond-1)/time.Millisecond))
	return e != 0 || ready == 0
}

func (w *watchdog) forget() {
	if w.dying {
		w.dying = false
		_ = w.victim.Close()
	}
}
