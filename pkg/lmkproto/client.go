package lmkproto

import (
	"errors"
	"fmt"
	"net"
)

// Client is one connection to a daemon. It is for one goroutine.
type Client struct {
	conn   *net.UnixConn
	buf    [MaxMessage + 1]byte
	out    []byte
	queued [][]byte // events that came before a reply
}

// Dial connects to the daemon's socket, /dev/socket/lmkd on Android.
func Dial(path string) (*Client, error) {
	conn, err := net.DialUnix("unixpacket", nil, &net.UnixAddr{Name: path, Net: "unixpacket"})
	if err != nil {
		return nil, err
	}
	return &Client{conn: conn, out: make([]byte, 0, MaxRequest)}, nil
}

// Close ends the connection. What this client registered stays registered, and
// belongs to the next client that touches it.
func (c *Client) Close() error { return c.conn.Close() }

// Send sends any request.
func (c *Client) Send(r *Request) error {
	c.out = r.Append(c.out[:0])
	_, err := c.conn.Write(c.out)
	return err
}

// Register registers processes, or gives those that are registered another
// oom_score_adj, in the order given. The daemon does not answer.
func (c *Client) Register(procs ...Proc) error {
	for len(procs) > 0 {
		r := Request{Command: ProcsPrio}
		r.Count = copy(r.Procs[:], procs)
		if err := c.Send(&r); err != nil {
			return err
		}
		procs = procs[r.Count:]
	}
	return nil
}

// Remove has the daemon forget a process.
func (c *Client) Remove(pid int32) error { return c.Send(&Request{Command: ProcRemove, PID: pid}) }

// Purge has it forget all that this client registered.
func (c *Client) Purge() error { return c.Send(&Request{Command: ProcPurge}) }

// SetLevels sets the levels of free memory, at most MaxTargets.
func (c *Client) SetLevels(levels ...Level) error {
	if len(levels) > MaxTargets {
		return fmt.Errorf("%d levels, %d is the most", len(levels), MaxTargets)
	}
	r := Request{Command: Target}
	r.Count = copy(r.Levels[:], levels)
	return c.Send(&r)
}

// Subscribe asks for events, which Next gives.
func (c *Client) Subscribe(e Event) error { return c.Send(&Request{Command: Subscribe, Event: e}) }

// KillCount asks how many processes were killed since the daemon's start whose
// oom_score_adj was from low to high; from MaxAdj+1 on it is all of them.
func (c *Client) KillCount(low, high int32) (int, error) {
	n, err := c.ask(&Request{Command: GetKillCount, MinAdj: low, MaxAdj: high})
	return int(n), err
}

// ask sends a request and waits for its reply; events that come before it are
// kept for Next.
func (c *Client) ask(r *Request) (int32, error) {
	if err := c.Send(r); err != nil {
		return 0, err
	}
	for {
		packet, err := c.read()
		if err != nil {
			return 0, err
		}
		var m Message
		if err := m.Decode(packet); err != nil {
			return 0, err
		}
		if m.Command == r.Command {
			return m.Value, nil
		}
		c.queued = append(c.queued, append([]byte(nil), packet...))
	}
}

// Next waits for the next event and puts it into m; a name in it is valid until
// the next call. The error is net.ErrClosed after Close, io.EOF when the daemon
// ended the connection.
func (c *Client) Next(m *Message) error {
	if len(c.queued) > 0 {
		packet := c.queued[0]
		c.queued = c.queued[1:]
		return m.Decode(packet)
	}
	packet, err := c.read()
	if err != nil {
		return err
	}
	return m.Decode(packet)
}

var errLong = errors.New("the daemon sent a packet that is longer than any of its own")

func (c *Client) read() ([]byte, error) {
	n, err := c.conn.Read(c.buf[:])
	if err == nil && n == len(c.buf) {
		err = errLong
	}
	return c.buf[:n], err
}
