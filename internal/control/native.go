package control

import (
	"errors"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/lmkd/lmkd/pkg/pressure"
)

// The limits of what clients of the native socket can make the daemon hold.
const (
	maxStreams     = 64
	maxStreamsUser = 16 // of one uid
	maxLine        = 4 << 10
	streamLines    = 64               // that a client may be behind
	hurry          = 10 * time.Second // in which a client must say what it wants
)

// Native is the socket that speaks lines of JSON. A client sends one Request, and
// gets lines until it, or the daemon, hangs up.
type Native struct {
	socket *net.UnixListener
	wait   sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	levels  []LevelLine // the last of each domain
	streams []*stream
}

// Request is what a client asks for.
type Request struct {
	// Command is "levels" or "kills".
	Command string `json:"cmd"`
	// Follow keeps the connection: each change is another line.
	Follow bool `json:"follow,omitempty"`
}

// LevelLine tells the level of a domain.
type LevelLine struct {
	Domain string    `json:"domain"`
	Level  string    `json:"level"` // none, low, medium or critical
	At     time.Time `json:"at"`    // since when
}

// KillLine tells of a kill. Sizes are bytes.
type KillLine struct {
	Domain string    `json:"domain"`
	PID    int32     `json:"pid"`
	UID    uint32    `json:"uid"`
	Comm   string    `json:"comm"`
	Adj    int16     `json:"oom_score_adj"`
	RSS    uint64    `json:"rss"`
	Swap   uint64    `json:"swap"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
}

// ErrorLine tells why there is nothing else; the daemon then hangs up.
type ErrorLine struct {
	Error string `json:"error"`
}

// ServeNative serves the Unix socket, which it owns from then on. Until the first
// change the level of each of the domains is none.
func ServeNative(socket *net.UnixListener, domains ...string) *Native {
	n := &Native{socket: socket}
	for _, d := range domains {
		n.levels = append(n.levels, LevelLine{d, pressure.LevelNone.String(), time.Now()})
	}
	n.wait.Add(1)
	go n.accept()
	return n
}

// Close ends every connection.
func (n *Native) Close() {
	_ = n.socket.Close()
	n.mu.Lock()
	n.closed = true
	for _, s := range n.streams {
		_ = s.conn.Close()
	}
	n.mu.Unlock()
	n.wait.Wait()
}

func (n *Native) accept() {
	defer n.wait.Done()
	for {
		conn, err := n.socket.AcceptUnix()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // no descriptor: whoever waits is let in when there is one
			time.Sleep(time.Second)
			continue
		}
		n.wait.Add(1)
		go n.serve(conn)
	}
}

// Level tells that a domain has another level since at.
func (n *Native) Level(domain string, level pressure.Level, at time.Time) {
	l := LevelLine{domain, level.String(), at}
	n.mu.Lock()
	defer n.mu.Unlock()
	i := slices.IndexFunc(n.levels, func(l LevelLine) bool { return l.Domain == domain })
	if i < 0 {
		n.levels = append(n.levels, l)
	} else {
		n.levels[i] = l
	}
	n.tell("levels", l, func(*stream) bool { return true })
}

// Gone tells that a domain is gone: its level is none, for the last time.
func (n *Native) Gone(domain string, at time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	i := slices.IndexFunc(n.levels, func(l LevelLine) bool { return l.Domain == domain })
	if i < 0 {
		return
	}
	n.levels = slices.Delete(n.levels, i, i+1)
	n.tell("levels", LevelLine{domain, pressure.LevelNone.String(), at}, func(*stream) bool { return true })
}

// Killed tells of a kill: root of all, any other user of those of its own.
func (n *Native) Killed(domain string, k *Kill, at time.Time) {
	p := &k.Victim
	l := KillLine{domain, p.PID, p.UID, p.Name(), p.Adj, p.RSS, p.Swap, k.Verdict.Reason.String(), at}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.tell("kills", l, func(s *stream) bool { return s.uid == 0 || s.uid == p.UID })
}

// tell hands a line to those who follow. Who is too far behind is hung up on: a
// stream with a gap would tell what is not so. The lock is held.
func (n *Native) tell(command string, v any, may func(*stream) bool) {
	var text []byte
	for _, s := range n.streams {
		if s.ended || !s.asked.Follow || s.asked.Command != command || !may(s) {
			continue
		}
		if text == nil {
			text = line(v)
		}
		select {
		case s.lines <- text:
		default:
			s.end()
			_ = s.conn.Close()
		}
	}
}
