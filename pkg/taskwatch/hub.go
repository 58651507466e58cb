package taskwatch

import (
	"sync"

	"github.com/lmkd/lmkd/internal/sys"
)

// shared is the program's one subscription, which exists while somebody
// watches.
var shared hub

// hub is the subscription and its goroutine. A Watcher's lock is taken inside
// the hub's.
type hub struct {
	mu       sync.Mutex
	watchers []*Watcher
	line     *line
	buffer   int
	morgue   morgue
	events   [32]sys.ProcEvent
}

// line is a joined connector with what its goroutine waits on.
type line struct {
	conn  *sys.Connector
	epoll *sys.Epoll
	bell  *sys.Eventfd
}

// The tokens of the epoll: a pidfd has its pid.
const (
	bellToken = 1<<32 + iota
	connToken
)

func (h *hub) add(w *Watcher, buffer int) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if w.kinds&Free != 0 {
		if err := freeIsTold(); err != nil {
			return err
		}
	}
	if h.line == nil {
		l, err := join(buffer)
		if err != nil {
			return err
		}
		h.line, h.buffer, h.morgue = l, buffer, morgue{bodies: map[int]body{}}
		go h.run(l)
	}
	h.watchers = append(h.watchers, w)
	return h.suit(buffer)
}

// suit fits the subscription to its watchers.
func (h *hub) suit(buffer int) error {
	var kinds Kind
	for _, w := range h.watchers {
		kinds |= w.kinds
	}
	if e := h.line.conn.SetMask(procKinds(kinds)); e != 0 {
		return &sys.OpError{Doing: "filter process events", Errno: e}
	}
	if buffer > h.buffer {
		if e := h.line.conn.SetBuffer(buffer); e != 0 {
			return &sys.OpError{Doing: "set the buffer of process events", Errno: e}
		}
		h.buffer = buffer
	}
	return nil
}

func (h *hub) remove(w *Watcher) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, other := range h.watchers {
		if other == w {
			h.watchers = append(h.watchers[:i:i], h.watchers[i+1:]...)
			close(w.closed)
			if len(h.watchers) == 0 {
				h.line.bell.Notify()
			} else {
				_ = h.suit(0) // fewer kinds at worst arrive unwanted
			}
			return
		}
	}
}

func join(buffer int) (l *line, err error) {
	l = new(line)
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	if l.conn, err = sys.JoinConnector(sys.ProcAll, buffer); err != nil {
		return l, err
	}
	if l.bell, err = sys.NewEventfd(); err != nil {
		return l, err
	}
	if l.epoll, err = sys.NewEpoll(64); err != nil {
		return l, err
	}
	e := l.epoll.Add(l.bell.Fd(), sys.In, bellToken)
	if e == 0 {
		e = l.epoll.Add(l.conn.Fd(), sys.In, connToken)
	}
	if e != 0 {
		return l, &sys.OpError{Doing: "watch process events", Errno: e}
	}
	return l, nil
}

func (l *line) close() {
	if l.conn != nil {
		_ = l.conn.Close()
	}
	if l.bell != nil {
		_ = l.bell.Close()
	}
	if l.epoll != nil {
		_ = l.epoll.Close()
	}
}

// run hands events on until the last watcher has gone.
func (h *hub) run(l *line) {
	var ready [64]sys.Event
	for {
		n, e := l.epoll.Wait(ready[:], -1)
		if e != 0 {
			panic("taskwatch: wait for process events: " + e.Error())
		}
		h.serve(ready[:n])
		if h.retire(l) {
			return
		}
	}
}

// serve hands on all that there is.
func (h *hub) serve(ready []sys.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for again := true; again; again = h.inspect() {
		for h.pump() {
		}
	}
	for _, ev := range ready {
		if ev.Token < bellToken {
			h.hungUp(int(ev.Token))
		}
	}
}

// retire leaves the group when nobody watches.
func (h *hub) retire(l *line) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	l.bell.Clear()
	if len(h.watchers) > 0 {
		return false
	}
	h.morgue.close()
	h.line = nil
	l.close()
	return true
}

// pump hands one batch on and reports whether there may be more.
func (h *hub) pump() (more bool) {
	n, e := h.line.conn.Read(h.events[:])
	if e == sys.ENOBUFS {
		h.tell(&Event{Kind: Lost, Time: sys.Now()})
		return true
	}
	for i := range h.events[:n] {
		ev := translate(&h.events[i])
		if ev.Kind == 0 { // an answer to a request, of whomever
			continue
		}
		h.tell(&ev)
		switch {
		case ev.Kind == Exec:
			h.rose(ev.TGID)
		case ev.Kind == Exit && !ev.Thread() && h.wants(Free):
			h.died(&ev)
		}
	}
	return e == 0
}

// translate turns the connector's event into ours.
func translate(raw *sys.ProcEvent) Event {
	ev := Event{
		Kind: kindOf(raw.Kind), Time: raw.Time, PID: raw.PID, TGID: raw.TGID,
		ParentPID: raw.PeerPID, ParentTGID: raw.PeerTGID, Name: raw.Comm,
	}
	switch ev.Kind {
	case UID, GID:
		ev.Real, ev.Effective = raw.A, raw.B
	case Exit:
		ev.Status = raw.A
	}
	return ev
}

func (h *hub) tell(ev *Event) {
	for _, w := range h.watchers {
		w.push(ev)
	}
}

func (h *hub) wants(k Kind) bool {
	for _, w := range h.watchers {
		if w.kinds&k != 0 {
			return true
		}
	}
	return false
}

// kinds pairs ours with the connector's.
var kinds = [...]struct {
	ours   Kind
	theirs sys.ProcEventKind
}{
	{Fork, sys.ProcFork}, {Exec, sys.ProcExec}, {UID, sys.ProcUID}, {GID, sys.ProcGID}, {SID, sys.ProcSID},
	{Ptrace, sys.ProcPtrace}, {Comm, sys.ProcComm}, {Coredump, sys.ProcCoredump}, {Exit, sys.ProcExit},
}

func kindOf(theirs sys.ProcEventKind) Kind {
	for _, k := range kinds {
		if k.theirs == theirs {
			return k.ours
		}
	}
	return 0
}

// procKinds gives the connector's kinds that are needed for set.
func procKinds(set Kind) sys.ProcEventKind {
	if set&Free != 0 {
		set |= Exit | Exec
	}
	var mask sys.ProcEventKind
	for _, k := range kinds {
		if set&k.ours != 0 {
			mask |= k.theirs
		}
	}
	return mask
}
