package daemon

import (
	"time"

	"github.com/lmkd/lmkd/internal/engine"
	"github.com/lmkd/lmkd/internal/memory"
	"github.com/lmkd/lmkd/internal/process"
	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/internal/vmpressure"
	"github.com/lmkd/lmkd/pkg/exitwait"
	"github.com/lmkd/lmkd/pkg/kill"
	"github.com/lmkd/lmkd/pkg/pressure"
)

// machine is the number of the domain that is the whole machine.
const machine = 0

// domain is what one judge looks after, with the one kill that it may have under
// way. The loop alone touches it.
type domain struct {
	id       uint16
	key      uint64 // names it over a restart of the daemon, 0 for the machine
	path     string // of its cgroup, empty for the machine
	gone     bool   // the cgroup is not there any more
	subtree  *process.Subtree
	cgroup   *memory.Cgroup // is its memory, nil for the machine
	policy   *engine.Policy
	state    *engine.State
	memory   sampler
	triggers triggers

	vmpressure *vmpressure.Listener // nil without it

	deadline time.Duration // CLOCK_MONOTONIC, 0 for none

	wake   engine.Input // what the events under way say, Source 0 for nothing
	exited bool         // the events under way say that the victim is gone

	victim exitwait.Process
	tree   tree // those who die with it
	softer softer
	dying  bool       // victim is open and watched
	flight uint64     // the number of the victim, the token of its reclaims
	boost  kill.Boost // what was lifted for the victim, undone when it is gone
	sample pressure.Sample
	marks  pressure.Watermarks
}

// sampler reads what a domain is judged by: internal/memory.
type sampler interface {
	Sample(now time.Duration, s *pressure.Sample) error
	Watermarks(now time.Duration, w *pressure.Watermarks) error
	Close()
}

func newDomain(id uint16, p *engine.Policy, memory sampler) *domain {
	return &domain{
		id: id, policy: p, state: engine.NewState(finalists), memory: memory,
		wake: engine.Input{Kind: engine.Woken}, tree: newTree(),
	}
}

// token makes a token of the epoll, or of a reclaim, that leads back to d.
func (d *domain) token(kind uint64) uint64 { return uint64(d.id)<<domainShift | kind }

// memberToken is the token of a reclaim of one who dies with the victim.
func (d *domain) memberToken() uint64 { return d.token(d.flight) | memberBit }

func (d *domain) isMachine() bool { return d.id == machine }

// domainOf gives the domain that a token leads to, nil when it is gone.
func (l *loop) domainOf(token uint64) *domain {
	if n := token >> domainShift; n < uint64(len(l.domains)) {
		return l.domains[n]
	}
	return nil
}

func (l *loop) machine() *domain { return l.domains[machine] }

// watchTriggers puts the triggers of d into the epoll.
func (l *loop) watchTriggers(d *domain) error {
	for level, t := range d.triggers {
		if t == nil {
			continue
		}
		if e := l.epoll.Add(t.Fd(), sys.Pri, d.token(tokenTrigger+uint64(level))); e != 0 {
			return &sys.OpError{Doing: "watch a pressure trigger", Errno: e}
		}
	}
	if d.vmpressure == nil {
		return nil
	}
	for _, fd := range d.vmpressure.Fds() {
		if e := l.epoll.Add(fd, sys.In, d.token(tokenVmpressure)); e != 0 {
			return &sys.OpError{Doing: "watch vmpressure", Errno: e}
		}
	}
	return nil
}

// close gives everything of d back. Its victim, if any, is forgotten before.
func (d *domain) close() {
	d.triggers.close()
	if d.vmpressure != nil {
		d.vmpressure.Close()
	}
	if d.subtree != nil {
		d.subtree.Close()
	}
	d.memory.Close()
}
