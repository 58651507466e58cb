package daemon

import (
	"runtime"

	"github.com/lmkd/lmkd/internal/engine"
	"github.com/lmkd/lmkd/internal/memory"
	"github.com/lmkd/lmkd/internal/process"
	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/kill"
)

// finalists is how many processes are read by phase two and ranked, at most.
const finalists = 64

// Options are what a daemon is made from.
type Options struct {
	Root     string        // of /proc and /sys; "/" on a real machine
	Policy   engine.Policy // of the whole machine
	Realtime int           // SCHED_FIFO priority, 0 for none
	DryRun   bool

	// Record makes the flight recorder, once the policy is what the kernel
	// lets it be.
	Record func(*engine.Policy) (Recorder, error)

	// Say tells the person who runs the machine something at start, once.
	Say func(format string, args ...any)
	// Ready is called when every source is armed and the rehearsal is over.
	Ready func(Sources)
}

// Sources says what wakes the daemon, and whether anything does at all.
type Sources struct {
	Triggers bool // PSI triggers
	Events   bool // reclaim events
	Stalls   bool // PSI totals can be read
}

// String names the source in the words of the metrics.
func (s Sources) String() string {
	switch {
	case s.Triggers && s.Events:
		return "psi triggers and reclaim events"
	case s.Triggers:
		return "psi triggers"
	case s.Events:
		return "reclaim events"
	case s.Stalls:
		return "sampled psi totals"
	}
	return "sampled available memory"
}

// Daemon is one daemon, made by New and run once.
type Daemon struct {
	opt  Options
	stop *sys.Eventfd
}

// New makes a daemon that does nothing until Run.
func New(opt Options) (*Daemon, error) {
	stop, err := sys.NewEventfd()
	if err != nil {
		return nil, err
	}
	return &Daemon{opt: opt, stop: stop}, nil
}

// Stop ends Run. It may be called from any goroutine.
func (d *Daemon) Stop() { d.stop.Notify() }

// Run is the daemon's life: open, arm, rehearse, say ready, and loop until
// Stop. It keeps the calling goroutine on one thread.
func (d *Daemon) Run() error {
	runtime.LockOSThread()
	l, err := d.open()
	if err != nil {
		return err
	}
	defer l.close()
	d.harden()
	l.rehearse()
	settle()
	if d.opt.Ready != nil {
		d.opt.Ready(l.sources.kinds(l.sample.Has))
	}
	return l.run()
}

// open makes the loop with everything that it will ever hold.
func (d *Daemon) open() (*loop, error) {
	p := d.opt.Policy
	l := &loop{stop: d.stop, policy: &p, state: engine.NewState(finalists)}
	var err error
	if l.epoll, err = sys.NewEpoll(len(l.events)); err != nil {
		return nil, err
	}
	if l.memory, err = memory.Open(d.opt.Root); err != nil {
		return nil, err
	}
	if l.table, err = process.Open(d.opt.Root, process.Options{Own: int32(sys.Getpid()), Finalists: finalists}); err != nil {
		return nil, err
	}
	l.killer = d.killer()
	l.reapers, err = kill.StartReapers(min(runtime.NumCPU(), 4), kill.DefaultRetry)
	if l.reapers == nil {
		return nil, err
	}
	if err != nil {
		d.opt.Say("%v: a victim's memory comes back more slowly on a busy machine", err)
	}
	d.openSources(l)
	if l.record, err = d.opt.Record(l.policy); err != nil {
		return nil, err
	}
	return l, l.watch()
}

func (d *Daemon) killer() killer {
	if d.opt.DryRun {
		return dry{}
	}
	if err := sys.Mrelease.Probe(); err != nil {
		d.opt.Say("no process_mrelease (%v): victims free their memory themselves; Linux 5.15 has it", err)
		return sharp{}
	}
	return sharp{mrelease: true}
}

// watch fills the epoll.
func (l *loop) watch() error {
	if e := l.epoll.Add(l.stop.Fd(), sys.In, tokenStop); e != 0 {
		return &sys.OpError{Doing: "watch the stop event", Errno: e}
	}
	if e := l.epoll.Add(l.reapers.Fd(), sys.In, tokenReaper); e != 0 {
		return &sys.OpError{Doing: "watch the reapers", Errno: e}
	}
	return l.sources.watch(l.epoll)
}

func (l *loop) close() {
	l.forget()
	l.sources.close()
	l.reapers.Close()
	_ = l.epoll.Close()
}

// harden takes what a killer needs to run when nothing else can. Each refusal
// is said once, and none is fatal.
func (d *Daemon) harden() {
	if err := sys.LockMemory(); err != nil {
		d.opt.Say("%v: the daemon itself may be swapped out under pressure; give it CAP_IPC_LOCK or LimitMEMLOCK=infinity", err)
	}
	if err := sys.SetOOMScoreAdj(-1000); err != nil {
		d.opt.Say("%v: the kernel may choose the daemon itself; give it CAP_SYS_RESOURCE", err)
	}
	if d.opt.Realtime <= 0 {
		return
	}
	err := sys.SetFIFO(d.opt.Realtime)
	if err == nil {
		return
	}
	d.opt.Say("%v: give it CAP_SYS_NICE", err)
	if err := sys.SetNice(-20); err != nil {
		d.opt.Say("%v: on a busy machine the daemon waits its turn", err)
	}
}
