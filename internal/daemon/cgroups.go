package daemon

import (
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"runtime/debug"
	"slices"

	"github.com/lmkd/lmkd/internal/cgroups"
	"github.com/lmkd/lmkd/internal/engine"
	"github.com/lmkd/lmkd/internal/memory"
	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/psi"
	"github.com/lmkd/lmkd/pkg/victim"
)

const (
	// maxDomains is how many are watched at once, the machine among them.
	maxDomains = 1024
	// domainRoom is what one more domain may need of the heap, its metrics and its
	// record included, before the collector runs.
	domainRoom = 64 << 10
	// mostTold is how many cgroups that can not be watched are told of.
	mostTold = 8
	// mostRetried is how many of these are tried again when others come or go.
	mostRetried = 64
)

// Group is cgroups that are domains of their own under one policy.
type Group struct {
	Patterns []cgroups.Pattern
	Policy   engine.Policy
	Called   func(path string) string // the name of the domain of a cgroup
}

// within is where the domains are that are cgroups, and how they are kept up with.
type within struct {
	root   string // where cgroup v2 is mounted
	finder *cgroups.Finder
	memory *memory.Cgroups
	groups []*Group // of each pattern
	paths  map[string]*domain
	failed map[string]cgroups.Event // those that could not be opened
	say    func(format string, args ...any)
	told   int
	full   bool // it was said that there are too many
	most   int  // domains at once, ever
}

// openDomains watches the cgroups that the groups name, now and later. Where
// there is no cgroup v2 the machine is all there is.
func (d *Daemon) openDomains(l *loop) error {
	if len(d.opt.Groups) == 0 {
		return nil
	}
	root, err := cgroups.Root()
	if err != nil {
		d.opt.Say("%v", err)
		return nil
	}
	w := &within{root: root, paths: map[string]*domain{}, failed: map[string]cgroups.Event{}, say: d.opt.Say}
	var patterns []cgroups.Pattern
	for i := range d.opt.Groups {
		g := &d.opt.Groups[i]
		for range g.Patterns {
			w.groups = append(w.groups, g)
		}
		patterns = append(patterns, g.Patterns...)
	}
	if w.memory, err = memory.OpenCgroups(d.opt.Root, root); err != nil {
		return err
	}
	if w.finder, err = cgroups.NewFinder(root, patterns); err != nil {
		return err
	}
	if e := l.epoll.Add(w.finder.Fd(), sys.In, tokenCgroups); e != 0 {
		return &sys.OpError{Doing: "watch for cgroups", Errno: e}
	}
	l.within = w
	l.tell(w.finder.Scan(l.cameOrWent))
	d.opt.Say("%d cgroups are judged each for itself", len(w.paths))
	return nil
}

func (l *loop) tell(err error) {
	if err != nil {
		l.within.say("%v: some cgroups are not watched", err)
	}
}

// regroup takes what came and went, and tries again what could not be opened: its
// memory controller may have come meanwhile, which nothing tells of.
func (l *loop) regroup() {
	w := l.within
	l.tell(w.finder.Changes(l.cameOrWent))
	if len(w.failed) > mostRetried {
		return
	}
	for _, e := range slices.Collect(maps.Values(w.failed)) {
		l.cameOrWent(e)
	}
}

// vanished looks again at a cgroup whose files say that it is gone.
func (l *loop) vanished(d *domain) {
	l.tell(l.within.finder.Recheck(d.path, l.cameOrWent))
	if l.within.paths[d.path] == d { // it was not known to be there
		l.cameOrWent(cgroups.Event{Path: d.path, Gone: true})
	}
}

// cameOrWent opens a domain for a cgroup, or lets one go.
func (l *loop) cameOrWent(e cgroups.Event) {
	w := l.within
	if e.Gone {
		delete(w.failed, e.Path)
		w.memory.Renew(e.Path)
		if d := w.paths[e.Path]; d != nil {
			delete(w.paths, e.Path)
			d.gone = true
			l.letGo(d)
		}
		return
	}
	d, err := l.newCgroup(e)
	if err != nil {
		l.refused(e, err)
		return
	}
	delete(w.failed, e.Path)
	w.paths[e.Path], l.domains[d.id] = d, d
	l.record.Open(d.id, w.groups[e.Pattern].Called(e.Path), d.policy)
	if w.most < len(w.paths) {
		w.most = len(w.paths)
		debug.SetMemoryLimit(debug.SetMemoryLimit(-1) + domainRoom)
	}
	if l.running {
		l.start(d, nil)
	}
}

// refused tells of a cgroup that can not be watched, and remembers to try again;
// not of one that is gone by now.
func (l *loop) refused(e cgroups.Event, err error) {
	w := l.within
	if errors.Is(err, errFull) {
		if !w.full {
			w.say("%s and others are not watched: %v", e.Path, err)
		}
		w.full = true
		return
	}
	_, again := w.failed[e.Path]
	fd, gone := sys.OpenPath(w.root+e.Path, sys.PathOnly|sys.Directory)
	_ = fd.Close()
	if again || gone != 0 {
		return
	}
	if len(w.failed) < mostRetried+1 {
		w.failed[e.Path] = e
	}
	if w.told++; w.told <= mostTold {
		w.say("%s is not watched: %v%s", e.Path, err, cureOf(err))
	}
}

func cureOf(err error) string {
	switch {
	case errors.Is(err, sys.ENOENT):
		return ": give it the memory controller (MemoryAccounting=yes, or +memory in cgroup.subtree_control above it)"
	case errors.Is(err, sys.EMFILE):
		return ": raise LimitNOFILE"
	}
	return ""
}

var errFull = fmt.Errorf("%d domains are the most there can be", maxDomains)

// newCgroup makes the domain of a cgroup with its triggers in the epoll.
func (l *loop) newCgroup(e cgroups.Event) (*domain, error) {
	w := l.within
	id := l.freeNumber()
	if id == 0 {
		return nil, errFull
	}
	reader, err := w.memory.Open(e.Path)
	if err != nil {
		return nil, err
	}
	p := w.groups[e.Pattern].Policy
	d := newDomain(id, &p, reader)
	d.path, d.key, d.cgroup = e.Path, keyOf(e.Path), reader
	if d.subtree, err = l.table.Subtree(w.root + e.Path); err == nil {
		err = d.armCgroup(w.root + e.Path + "/memory.pressure")
	}
	if err == nil {
		err = l.watchTriggers(d)
	}
	if err != nil {
		d.close()
		return nil, err
	}
	if err = l.startRelief(d); err != nil {
		w.say("%s is judged, and not all of its softer acts are done: %v", e.Path, err)
	}
	if len(w.paths) == 0 { // a rehearsal: the buffers of a choice within are touched
		l.look(d, &engine.Action{Do: engine.Sample})
		l.list(d, &engine.Action{Do: engine.List, Query: victim.Query{MinAdj: 1000}})
	}
	return d, nil
}

// armCgroup arms the triggers of a cgroup, slower ones with less privilege.
func (d *domain) armCgroup(file string) error {
	at := thresholdsOf(d.policy)
	err := d.triggers.arm(file, at)
	if errors.Is(err, psi.ErrPrivilege) {
		d.policy.Untriggered = true
		err = d.triggers.arm(file, at.unprivileged())
	}
	return err
}

// freeNumber gives the number of the next domain, 0 when there are too many.
func (l *loop) freeNumber() uint16 {
	for i, d := range l.domains {
		if d == nil {
			return uint16(i)
		}
	}
	if len(l.domains) == maxDomains {
		return 0
	}
	l.domains = append(l.domains, nil)
	return uint16(len(l.domains) - 1)
}

// keyOf names a cgroup over a restart of the daemon.
func keyOf(path string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(path))
	return h.Sum64() | 1 // 0 is the machine
}

// letGo closes the domain of a cgroup that is gone. A kill under way is finished
// first.
func (l *loop) letGo(d *domain) {
	if d.dying {
		return
	}
	l.leaveRelief(d)
	d.close()
	l.domains[d.id] = nil
	l.record.Close(d.id)
}

func (w *within) close() {
	if w != nil {
		w.finder.Close()
		w.memory.Close()
	}
}
