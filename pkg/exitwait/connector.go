package exitwait

import (
	"sync"

	"github.com/lmkd/lmkd/internal/sys"
)

// exits is the package's one subscription to exit events. It exists only while
// a Process of this backend is open.
var exits exitHub

// listener is a Process's place in the subscription. Exit events are of
// threads; whether the whole process is dead says /proc.
type listener struct {
	process *Process
	id      identity
	codes   codes // under the hub's lock
}

// codes is what the events of its threads tell of a process's status.
type codes struct {
	leader, last uint32 // of the leader, and of whoever exited last
	seen         bool   // the leader's event has come
	leaderLast   bool   // and nobody's after it
	missed       bool   // the leader's event will not come: too late, or lost
}

// heard notes one event. An exec gives the process another leader.
func (c *codes) heard(ev *sys.ProcEvent) {
	if ev.Kind == sys.ProcExec {
		*c = codes{}
		return
	}
	c.last, c.leaderLast = ev.A, ev.PID == ev.TGID
	if c.leaderLast {
		c.leader, c.seen = ev.A, true
	}
}

// exit gives the status of the process, once it is dead: the leader's, if it
// was the last or the others agree. A leader that went before threads which
// ended differently leaves it open which of the two a parent is told: that
// changed with Linux 5.17. It is not yet settled while the leader's own event
// is on its way.
func (c *codes) exit() (exit Exit, settled bool) {
	if c.seen && (c.leaderLast || c.last == c.leader) {
		return Exit{Known: true, Status: c.leader}, true
	}
	return Exit{}, c.seen || c.missed
}

func (l *listener) attach() error {
	if err := exits.add(l); err != nil {
		return err
	}
	if s, _, dead := l.id.look(); dead || s.state == 'Z' {
		exits.miss(l)
	}
	l.check()
	return nil
}

func (l *listener) refresh() {
	exits.pump()
	l.check()
}

func (l *listener) detach() { exits.remove(l) }

// check asks /proc whether the process is dead, and tells of it.
func (l *listener) check() {
	_, exit, dead := l.id.look()
	if !dead {
		return
	}
	settled := exit.Known
	if !settled {
		exit, settled = exits.exit(l)
	}
	if settled {
		l.process.finish(l, exit)
	}
}

// exitHub is the subscription with the goroutine that reads it.
type exitHub struct {
	pumping   sync.Mutex // held by the one pump
	concerned []*listener
	events    [32]sys.ProcEvent

	mu     sync.Mutex
	ear    *ear
	member map[int][]*listener // by tgid
}

// ear is one joined connector, until nobody listens any more.
type ear struct {
	conn  *sys.Connector
	epoll *sys.Epoll
	bell  *sys.Eventfd
}

func (h *exitHub) add(l *listener) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ear == nil {
		e, err := newEar()
		if err != nil {
			return err
		}
		h.ear, h.member = e, map[int][]*listener{}
		go h.run(e)
	}
	h.member[l.id.pid] = append(h.member[l.id.pid], l)
	return nil
}

func (h *exitHub) remove(l *listener) {
	h.mu.Lock()
	defer h.mu.Unlock()
	kept := h.member[l.id.pid][:0]
	for _, other := range h.member[l.id.pid] {
		if other != l {
			kept = append(kept, other)
		}
	}
	if len(kept) > 0 {
		h.member[l.id.pid] = kept
		return
	}
	delete(h.member, l.id.pid)
	if len(h.member) == 0 && h.ear != nil {
		h.ear.bell.Notify()
	}
}

func newEar() (e *ear, err error) {
	e = new(ear)
	defer func() {
		if err != nil {
			e.close()
		}
	}()
	if e.conn, err = sys.JoinConnector(sys.ProcExit|sys.ProcExec, 0); err != nil {
		return e, err
	}
	if e.bell, err = sys.NewEventfd(); err != nil {
		return e, err
	}
	if e.epoll, err = sys.NewEpoll(2); err != nil {
		return e, err
	}
	for _, fd := range []int{e.conn.Fd(), e.bell.Fd()} {
		if errno := e.epoll.Add(fd, sys.In, 0); errno != 0 {
			return e, &opError{"watch exit events", errno}
		}
	}
	return e, nil
}

func (e *ear) close() {
	if e.conn != nil {
		_ = e.conn.Close()
	}
	if e.bell != nil {
		_ = e.bell.Close()
	}
	if e.epoll != nil {
		_ = e.epoll.Close()
	}
}

func (h *exitHub) run(e *ear) {
	var ready [2]sys.Event
	for {
		if _, errno := e.epoll.Wait(ready[:], -1); errno != 0 {
			panic("exitwait: wait for exit events: " + errno.Error())
		}
		h.pump()
		if h.retire(e) {
			return
		}
	}
}

// retire leaves the group when nobody listens any more.
func (h *exitHub) retire(e *ear) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	e.bell.Clear()
	if len(h.member) > 0 {
		return false
	}
	h.ear = nil
	e.close()
	return true
}

// pump reads all events that have arrived, then has those that they concern
// look again.
func (h *exitHub) pump() {
	h.pumping.Lock()
	defer h.pumping.Unlock()
	for h.read() {
	}
	for i, l := range h.concerned {
		l.check()
		h.concerned[i] = nil
	}
	h.concerned = h.concerned[:0]
}

// read takes one batch and reports whether there may be more. A loss concerns
// everybody.
func (h *exitHub) read() (more bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ear == nil {
		return false
	}
	n, e := h.ear.conn.Read(h.events[:])
	if e == sys.ENOBUFS {
		h.lost()
		return true
	}
	for i := range h.events[:n] {
		ev := &h.events[i]
		for _, l := range h.member[ev.TGID] {
			l.codes.heard(ev)
			h.concerned = append(h.concerned, l)
		}
	}
	return e == 0
}

func (h *exitHub) lost() {
	for _, ls := range h.member {
		for _, l := range ls {
			l.codes = codes{missed: true}
			h.concerned = append(h.concerned, l)
		}
	}
}

// miss notes that the leader is dead already, so that its event will not come.
func (h *exitHub) miss(l *listener) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l.codes.missed = true
}

func (h *exitHub) exit(l *listener) (Exit, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return l.codes.exit()
}
