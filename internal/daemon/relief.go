package daemon

import (
	"fmt"
	"path/filepath"
	"slices"
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

// maxSofter is how many threads there may be for acts. The unit's TasksMax is 64,
// and a program of Go that is refused a thread ends.
const maxSofter = 24

var errManyActs = fmt.Errorf("there are threads for %d softer acts already", maxSofter)

// softening is what the threads of all acts share.
type softening struct {
	tools relief.Tools
	done  *sys.Eventfd // an act has ended, or a thread
	table *process.Table
	ram   uint64     // MemTotal
	mu    sync.Mutex // for table: it is the threads', never the loop's
	// leaving are the threads of domains that are gone.
	leaving []*relief.Worker
	threads int // those of leaving too
}

// openRelief thaws what an earlier run left frozen, and makes the threads of the
// machine's acts. Without an act there is no thread, and nothing is ever frozen.
func (d *Daemon) openRelief(l *loop) (err error) {
	note := d.openNote()
	if !d.relieves() {
		return nil
	}
	s := &softening{ram: l.machine().sample.Memory.Total}
	s.tools = relief.Tools{Cgroups: relief.Root(d.opt.Root), Note: note, Dry: d.opt.DryRun, Say: d.opt.Say}
	if s.tools.Cgroups == "" {
		d.opt.Say("relief: there are no cgroups of v2 here, so that nothing is reclaimed or frozen before a kill")
	}
	if s.table, err = process.Open(d.opt.Root, process.Options{Own: int32(sys.Getpid())}); err != nil {
		return err
	}
	if s.done, err = sys.NewEventfd(); err != nil {
		return err
	}
	if e := l.epoll.Add(s.done.Fd(), sys.In, tokenRelief); e != 0 {
		return &sys.OpError{Doing: "watch the softer acts", Errno: e}
	}
	l.softening = s
	return l.startRelief(l.machine())
}

// relieves tells whether any domain that there may be has an act with a thread.
func (d *Daemon) relieves() bool {
	lasts := func(r engine.Relief) bool { return r.Act != engine.Notify }
	if slices.ContainsFunc(d.opt.Policy.Relief, lasts) {
		return true
	}
	return slices.ContainsFunc(d.opt.Groups, func(g Group) bool { return slices.ContainsFunc(g.Policy.Relief, lasts) })
}

// startRelief makes the threads of a domain's acts. What they may reach lies
// below the domain's cgroup. An act without a thread, and those behind it, are
// taken out of the policy: nobody would answer them.
func (l *loop) startRelief(d *domain) error {
	if l.softening == nil {
		return nil
	}
	tools := l.softening.tools
	if tools.Cgroups != "" {
		tools.Cgroups += d.path
	}
	tools.Guard = l.softening.guard(&d.policy.Victim)
	d.policy.Relief = d.policy.Relief[:min(len(d.policy.Relief), engine.MaxRelief)]
	for i, act := range d.policy.Relief {
		if act.Act == engine.Notify {
			continue
		}
		w, err := l.softening.start(act, &tools)
		if err != nil {
			d.policy.Relief = d.policy.Relief[:i]
			return err
		}
		d.softer[i] = w
	}
	return nil
}

func (s *softening) start(act engine.Relief, tools *relief.Tools) (*relief.Worker, error) {
	if s.threads == maxSofter {
		return nil, errManyActs
	}
	w, err := relief.Start(act, tools, s.done)
	if err == nil {
		s.threads++
	}
	return w, err
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

// guard says who must not stand still by a policy.
func (s *softening) guard(p *victim.Policy) func(pid int32) string {
	ask := process.Ask{Policy: p, RAM: s.ram}
	return func(pid int32) string {
		s.mu.Lock()
		defer s.mu.Unlock()
		why := s.table.Spared(ask, pid)
		if why == victim.Eligible {
			return ""
		}
		return fmt.Sprintf("of process %d in it, %v", pid, why)
	}
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
	l.softening.done.Clear()
	s := l.softening
	before := len(s.leaving)
	s.leaving = slices.DeleteFunc(s.leaving, (*relief.Worker).Left)
	s.threads -= before - len(s.leaving)
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

// leaveRelief lets the threads of a domain go whose cgroup is gone, without
// waiting for them.
func (l *loop) leaveRelief(d *domain) {
	for i, w := range d.softer {
		if w != nil {
			w.Leave()
			l.softening.leaving = append(l.softening.leaving, w)
			d.softer[i] = nil
		}
	}
}

// closeRelief ends all acts: what is frozen is thawed. The threads are told
// first, and then waited for.
func (l *loop) closeRelief() {
	if l.softening == nil {
		return
	}
	for _, d := range l.domains {
		if d != nil {
			l.leaveRelief(d)
		}
	}
	ended := true
	for _, w := range l.softening.leaving {
		ended = w.Close() && ended
	}
	if ended { // one that blocks in the kernel may use them yet
		_ = l.softening.done.Close()
		l.softening.table.Close()
	}
}
