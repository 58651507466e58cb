package control

import (
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/lmkproto"
)

// maxClients is how many may be connected at once. Android has three places, and
// a fourth client puts all three out.
const maxClients = 8

// The tokens of the epoll beside those of clients, which count from firstClient,
// and of records.
const (
	tokenBell uint64 = iota
	tokenListener
	firstClient
)

// AndroidOptions are what an Android is made from.
type AndroidOptions struct {
	// Path is removed at the end; empty for a socket that was inherited.
	Path string
	// Trusted are the users beside root and the daemon's own that may register
	// any process, at any oom_score_adj.
	Trusted []uint32
	// Boot is called when a trusted client says that the machine is up, once, where
	// the daemon waits for it; nil elsewhere.
	Boot func()
	// NoStats keeps the numbers of a kill to ourselves: subscribers hear of it by
	// LMK_PROCKILL alone.
	NoStats bool
	// SoftLimits gives the memory cgroup of each app that is registered the soft
	// limit that Android gives it; nil gives none.
	SoftLimits *SoftLimits
	// Say tells the person who runs the machine what clients do wrong.
	Say func(format string, args ...any)
}

// Android is the socket that speaks the protocol of Android's lmkd, and what its
// clients registered. One goroutine serves it; Roll, Targets and Killed may be
// called from any.
type Android struct {
	registry
	opt      AndroidOptions
	listener sys.FD
	deaf     int // 0, or what was open when no descriptor was to be had for the next client
	bell     *sys.Eventfd
	clients  []*client
	joined   uint64 // counts clients, for their tokens
	active   uint64 // counts packets, to tell who has been silent the longest
	kills    counters
	mail     chan Kill
	missed   atomic.Int64 // kills that found the mail full
	buf      [lmkproto.MaxRequest + 64]byte
	out      [lmkproto.MaxMessage]byte

	quit atomic.Bool
	once sync.Once
	done chan struct{}

	booted bool // Boot was called
}

// ServeAndroid serves the bound socket listener, which it owns from then on.
func ServeAndroid(listener sys.FD, opt AndroidOptions) (*Android, error) {
	a := &Android{opt: opt, mail: make(chan Kill, 64), done: make(chan struct{}), listener: listener.Take()}
	a.say, a.limits = opt.Say, opt.SoftLimits
	if err := a.open(); err != nil {
		a.release()
		return nil, err
	}
	go a.run()
	return a, nil
}

func (a *Android) open() error {
	var e sys.Errno
	if a.proc.fd, e = sys.OpenPath("/proc", sys.ReadOnly|sys.Directory); e != 0 {
		return &sys.OpError{Doing: "open /proc", Errno: e}
	}
	var err error
	if a.epoll, err = sys.NewEpoll(64); err != nil {
		return err
	}
	if a.bell, err = sys.NewEventfd(); err != nil {
		return err
	}
	if err := sys.ListenSeqpacket(a.listener.Int(), maxClients); err != nil {
		return err
	}
	if e := a.epoll.Add(a.bell.Fd(), sys.In, tokenBell); e != 0 {
		return &sys.OpError{Doing: "watch the bell", Errno: e}
	}
	return a.listen()
}

// listen waits for clients.
func (a *Android) listen() error {
	if e := a.epoll.Add(a.listener.Int(), sys.In, tokenListener); e != 0 {
		return &sys.OpError{Doing: "watch the socket", Errno: e}
	}
	return nil
}

// Close ends every connection and forgets every record.
func (a *Android) Close() {
	a.once.Do(func() {
		a.quit.Store(true)
		a.bell.Notify()
		<-a.done
		a.release()
	})
}

func (a *Android) release() {
	for len(a.clients) > 0 {
		a.hangUp(a.clients[0])
	}
	for _, r := range a.records {
		_ = r.proc.Close()
	}
	a.records = nil
	_ = a.listener.Close()
	if a.opt.Path != "" {
		_ = os.Remove(a.opt.Path)
	}
	_ = a.proc.fd.Close()
	if a.bell != nil {
		_ = a.bell.Close()
	}
	if a.epoll != nil {
		_ = a.epoll.Close()
	}
}

// run handles what is ready until Close. What one wake changed is published once.
func (a *Android) run() {
	defer close(a.done)
	events := make([]sys.Event, 64)
	for !a.quit.Load() {
		n, e := a.epoll.Wait(events, -1)
		if e != 0 {
			a.opt.Say("control: wait for clients: %v", e)
			return
		}
		for i := range events[:n] {
			a.handle(&events[i])
		}
		a.publish()
		a.hear()
	}
}

func (a *Android) handle(ev *sys.Event) {
	switch {
	case ev.Token&recordBit != 0:
		a.exited(int32(ev.Token &^ recordBit))
	case ev.Token == tokenBell:
		a.bell.Clear()
		a.tell()
	case ev.Token == tokenListener:
		a.accept()
	default:
		// One that was put out in this very batch is found no more.
		if c := a.clientOf(ev.Token); c != nil {
			a.read(c)
		}
	}
}

func (a *Android) clientOf(token uint64) *client {
	for _, c := range a.clients {
		if c.token == token {
			return c
		}
	}
	return nil
}

// accept takes all clients that wait.
func (a *Android) accept() {
	for {
		conn, who, e := sys.Accept(a.listener.Int())
		switch e {
		case 0:
			a.join(conn.Take(), who)
		case sys.EAGAIN:
			return
		case sys.EMFILE, sys.ENFILE, sys.ENOMEM, sys.ENOBUFS:
			// The socket would stay ready: it is left alone until there is room.
			a.opt.Say("control: a client waits: %v", e)
			_ = a.epoll.Remove(a.listener.Int())
			a.deaf = a.held()
			return
		default: // the client gave up
		}
	}
}

// held counts the descriptors that clients cost, and the socket itself.
func (a *Android) held() int { return 1 + len(a.clients) + len(a.records) }

// hear listens again once something was closed.
func (a *Android) hear() {
	if a.deaf > a.held() && a.listen() == nil {
		a.deaf = 0
	}
}

// join makes room for a client and watches it.
func (a *Android) join(conn sys.FD, who sys.Credentials) {
	c := &client{caller: caller{who.PID, who.UID, a.trusts(who.UID)}, token: firstClient + a.joined, active: a.active, conn: conn.Take()}
	a.joined++
	if len(a.clients) == maxClients && !a.evict(c) {
		a.opt.Say("control: %v is refused: %d clients are connected", c, maxClients)
		_ = c.conn.Close()
		return
	}
	if e := a.epoll.Add(c.conn.Int(), sys.In, c.token); e != 0 {
		a.opt.Say("control: watch %v: %v", c, e)
		_ = c.conn.Close()
		return
	}
	a.clients = append(a.clients, c)
}

// evict hangs up on the client that has been silent the longest, for a newcomer;
// nobody makes room for one who is trusted less.
func (a *Android) evict(newcomer *client) bool {
	var worst *client
	for _, c := range a.clients {
		if c.trusted && !newcomer.trusted {
			continue
		}
		if worst == nil || worst.trusted && !c.trusted || worst.trusted == c.trusted && c.active < worst.active {
			worst = c
		}
	}
	if worst == nil {
		return false
	}
	a.opt.Say("control: %v makes room for %v: %d clients are connected", worst, newcomer, maxClients)
	a.hangUp(worst)
	return true
}

// trusts tells whether a user may register any process.
func (a *Android) trusts(uid uint32) bool {
	if uid == 0 || uid == sys.Geteuid() {
		return true
	}
	for _, t := range a.opt.Trusted {
		if uid == t {
			return true
		}
	}
	return false
}

// hangUp ends a connection. What the client registered stays, without an owner
// unless the same process is connected a second time.
func (a *Android) hangUp(c *client) {
	_ = a.epoll.Remove(c.conn.Int())
	_ = c.conn.Close()
	a.clients = slices.DeleteFunc(a.clients, func(one *client) bool { return one == c })
	a.leave(c.pid)
	if c.errors > toldErrors || c.missed > 0 {
		a.opt.Say("control: %v is gone: %d of its packets were wrong, %d notifications found it asleep", c, c.errors, c.missed)
	}
}

// leave takes the records of a process away from it, unless it has a connection
// still.
func (a *Android) leave(pid int32) {
	if !slices.ContainsFunc(a.clients, func(c *client) bool { return c.pid == pid }) {
		a.orphan(pid)
	}
}

// client is one connection.
type client struct {
	caller
	token      uint64
	conn       sys.FD
	active     uint64 // the last packet's number
	subscribed [2]bool
	errors     int
	missed     int // notifications that its buffer had no room for
}

func (c *client) String() string { return fmt.Sprintf("client %d (uid %d)", c.pid, c.uid) }
