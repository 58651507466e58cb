package daemon

import (
	"fmt"
	"path/filepath"
	"sync"

	"github.com/lmkd/lmkd/internal/engine"
	"github.com/lmkd/lmkd/internal/process"
	"github.com/lmkd/lmkd/internal/relief"
	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/victim"
)

// softer are the threads that carry out a domain's acts, by their places in its
// policy; nil for those that need none.
type softer [engine.MaxRelief]*relief.Worker

// openRelief thaws what an earlier run left frozen, and makes the threads of all
// acts. Without an act there is no thread, and nothing is ever frozen.
func (d *Daemon) openRelief(l *loop) error {
	note := d.openNote()
	for _, dom := range l.domains {
		if err := d.startRelief(l, dom, note); err != nil {
			return err
		}
	}
	return nil
}

func (d *Daemon) startRelief(l *loop, dom *domain, note *relief.Note) error {
	for i := range dom.policy.Relief[:min(len(dom.policy.Relief), engine.MaxRelief)] {
		act := dom.policy.Relief[i]
		if act.Act == engine.Notify {
			continue
		}
		if l.softening == nil {
			if err := d.openSoftening(l, note); err != nil {
				return err
			}
		}
		w, err := relief.Start(act, l.softening, l.softened)
		if err != nil {
			return err
		}
		dom.softer[i] = w
	}
	return nil
}

// openSoftening makes what the threads of all acts share.
func (d *Daemon) openSoftening(l *loop, note *relief.Note) error {
	guard, err := d.guard(l)
	if err != nil {
		return err
	}
	l.softening = &relief.Tools{Cgroups: relief.Root(d.opt.Root), Note: note, Dry: d.opt.DryRun, Guard: guard, Say: d.opt.Say}
	if l.softening.Cgroups == "" {
		d.opt.Say("relief: there are no cgroups of v2 here, so that nothing is reclaimed or frozen before a kill")
	}
	if l.softened, err = sys.NewEventfd(); err != nil {
		return err
	}
	if e := l.epoll.Add(l.softened.Fd(), sys.In, tokenRelief); e != 0 {
		return &sys.OpError{Doing: "watch the softer acts", Errno: e}
	}
	return nil
}

// openNote opens the file that names what is frozen, beside that of the kills.
func (d *Daemon) openNote() *relief.Note {
	if d.opt.State == "" || d.opt.DryRun {
		return nil
	}
	note, thawed, err := relief.OpenNote(filepath.Join(filepath.Dir(d.opt.State), "frozen"))
	for _, dir := range thawed {
		d.opt.Say("relief: thawed %s, which an earlier run left frozen", dir)
	}
	if err != nil {
		d.opt.Say("%v: what is frozen is not remembered over a crash of the daemon", err)
	}
	return note
}

// guard says who must not stand still, by a process table of its own.
func (d *Daemon) guard(l *loop) (func(pid int32) string, error) {
	table, err := process.Open(d.opt.Root, process.Options{Own: int32(sys.Getpid())})
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	ask := process.Ask{Policy: &l.machine().policy.Victim, RAM: l.machine().sample.Memory.Total}
	return func(pid int32) string {
		mu.Lock()
		defer mu.Unlock()
		why := table.Spared(ask, pid)
		if why == victim.Eligible {
			return ""
		}
		return fmt.Sprintf("of process %d in it, %v", pid, why)
	}, nil
}

// relieve begins acts; those that only tell are done by being recorded.
func (d *domain) relieve(acts uint8) {
	for i, w := range d.softer {
		if acts&(1<<i) != 0 && w != nil {
			w.Begin(sys.Now())
		}
	}
}

// relent ends acts.
func (d *domain) relent(acts uint8) {
	for i, w := range d.softer {
		if acts&(1<<i) != 0 && w != nil {
			w.End()
		}
	}
}

// collectRelief hands in the acts that have ended.
func (l *loop) collectRelief() {
	l.softened.Clear()
	for _, d := range l.domains {
		if d == nil {
			continue
		}
		for i, w := range d.softer {
			if w == nil {
				continue
			}
			if r, ok := w.Collect(); ok {
				l.handle(d, engine.Input{
					Kind: engine.Relieved, Act: uint8(i), Errno: int32(r.Errno), Took: r.Took, Members: r.Cgroups, Bytes: r.Bytes,
				})
			}
		}
	}
}

// closeRelief ends all acts: what is frozen is thawed.
func (l *loop) closeRelief() {
	ended := true
	for _, d := range l.domains {
		if d == nil {
			continue
		}
		for i, w := range d.softer {
			ended = (w == nil || w.Close()) && ended
			d.softer[i] = nil
		}
	}
	if l.softened != nil && ended {
		_ = l.softened.Close()
	}
}
