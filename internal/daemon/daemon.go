package daemon

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/lmkd/lmkd/internal/engine"
	"github.com/lmkd/lmkd/internal/memory"
	"github.com/lmkd/lmkd/internal/process"
	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/internal/taskiter"
	"github.com/lmkd/lmkd/pkg/kill"
)

// finalists is how many processes are read by phase two and ranked, at most.
const finalists = 64

// Options are what a daemon is made from.
type Options struct {
	Root     string        // of /proc and /sys; "/" on a real machine
	Policy   engine.Policy // of the whole machine
	Groups   []Group       // of cgroups that are domains of their own
	Realtime int           // SCHED_FIFO priority, 0 for none
	DryRun   bool
	Watchdog time.Duration // how long the loop may hang, 0 for ever

	// Feed tells the service manager that the loop is alive, every FeedEvery; 0
	// for never, and then nothing wakes the loop at rest.
	Feed      func()
	FeedEvery time.Duration

	// State is the file on /run that names the kill under way; empty for none.
	State string

	// Clients are what registers processes from outside, nil for nobody.
	Clients Clients

	// Record makes the flight recorder, once the policy is what the kernel
	// lets it be.
	Record func(*engine.Policy) (Recorder, error)
	// WatchdogRecord gives the flight recorder of the watchdog's own thread,
	// after Record; needed with a Watchdog alone.
	WatchdogRecord func() Recorder

	// Say tells the person who runs the machine what wakes the daemon in place
	// of what the kernel refuses.
	Say func(format string, args ...any)
	// Ready is called when every source is armed and the rehearsal is over.
	Ready func(Sources)
}

// Sources says what wakes the daemon, and whether anything does at all.
type Sources struct {
	Triggers bool // PSI triggers
	// Vmpressure is true where cgroup v1's words wake in place of triggers.
	Vmpressure bool
	Events     bool // reclaim events
	Stalls     bool // PSI totals can be read
}

// String names the source in the words of the metrics.
func (s Sources) String() string {
	switch {
	case s.Vmpressure && s.Events:
		return "vmpressure and reclaim events"
	case s.Vmpressure:
		return "vmpressure"
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
	if err := sys.Pidfd.Probe(); err != nil {
		return nil, fmt.Errorf("no pidfd, and without one a signal could reach a stranger: pidfd_open: %w (in Linux since %s)", err, sys.Pidfd.Since)
	}
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
	adopted := d.openState(l)
	if err = d.openRelief(l); err != nil {
		return err
	}
	if err = d.openDomains(l); err != nil {
		return err
	}
	if l.watchdog, err = d.openWatchdog(l.machine().policy); err != nil {
		return err
	}
	l.watchdog.start()
	collectGarbage()
	if d.opt.Ready != nil {
		d.opt.Ready(l.kinds())
	}
	return l.run(adopted)
}

// open makes the loop with everything that it will ever hold.
func (d *Daemon) open() (*loop, error) {
	p := d.opt.Policy
	l := &loop{
		stop:    d.stop,
		clients: d.opt.clients(), feed: d.opt.Feed, feedEvery: d.opt.FeedEvery,
		descendants: make([]int32, 0, treeSize),
	}
	var err error
	if l.epoll, err = sys.NewEpoll(len(l.events)); err != nil {
		return nil, err
	}
	reader, err := memory.Open(d.opt.Root)
	if err != nil {
		return nil, err
	}
	l.domains = []*domain{newDomain(machine, &p, reader)}
	if err = d.openTable(l); err != nil {
		return nil, err
	}
	l.killer = d.killer()
	// Without their nice value the workers reap all the same.
	if l.reapers, err = kill.StartReapers(min(runtime.NumCPU(), 4), kill.DefaultRetry); l.reapers == nil {
		return nil, err
	}
	d.openSources(l)
	if l.record, err = d.opt.Record(&p); err != nil {
		return nil, err
	}
	return l, l.watch()
}

// openTable opens the process table, with the kernel's own list of tasks where
// it is to be had. The watchdog goes without: what it stands in for may be stuck
// in just that.
func (d *Daemon) openTable(l *loop) (err error) {
	o := process.Options{Own: int32(sys.Getpid()), Finalists: finalists}
	if d.opt.Root == "/" && taskiter.Possible() == nil {
		if l.tasks, err = taskiter.Open(); err == nil {
			o.Tasks = l.tasks
			debug.FreeOSMemory() // the kernel's types took 8 MiB, and locked memory is not given back
		} else if !errors.Is(err, os.ErrPermission) { // which internal/probe has said
			d.opt.Say("processes are listed by the files of /proc, which takes ten times as long: %v", err)
		}
	}
	l.table, err = process.Open(d.opt.Root, o)
	return err
}

// openState opens the file of the kills under way and gives those that an
// earlier run left.
func (d *Daemon) openState(l *loop) (found []adopted) {
	if d.opt.State == "" || d.opt.DryRun {
		return nil
	}
	var err error
	if l.inflight, found, err = openInflight(d.opt.State); err != nil {
		d.opt.Say("%v: a kill under way is not remembered over a restart of the daemon", err)
	}
	return found
}

func (d *Daemon) killer() killer {
	if d.opt.DryRun {
		return dry{}
	}
	return sharp{mrelease: sys.Mrelease.Probe() == nil}
}

// watch fills the epoll.
func (l *loop) watch() error {
	if e := l.epoll.Add(l.stop.Fd(), sys.In, tokenStop); e != 0 {
		return &sys.OpError{Doing: "watch the stop event", Errno: e}
	}
	if e := l.epoll.Add(l.reapers.Fd(), sys.In, tokenReaper); e != 0 {
		return &sys.OpError{Doing: "watch the reapers", Errno: e}
	}
	if l.reclaims.events != nil {
		if e := l.epoll.Add(l.reclaims.events.Fd(), sys.In, tokenReclaim); e != 0 {
			return &sys.OpError{Doing: "watch reclaim events", Errno: e}
		}
	}
	return l.watchTriggers(l.machine())
}

func (l *loop) close() {
	l.closeRelief()
	for _, d := range l.domains {
		if d != nil {
			l.forget(d)
			d.close()
		}
	}
	l.within.close()
	l.reclaims.close()
	l.reapers.Close()
	_ = l.epoll.Close()
	l.inflight.close()
	if l.tasks != nil {
		_ = l.tasks.Close()
	}
}

// harden takes what a killer needs to run when nothing else can. What is
// refused, internal/probe has said with its cure, and nothing of it is fatal.
func (d *Daemon) harden() {
	_ = sys.LockMemory()
	_ = sys.SetOOMScoreAdj(-1000)
	if d.opt.Realtime <= 0 || sys.SetFIFO(d.opt.Realtime) != nil {
		_ = sys.SetNice(-20)
	}
}
