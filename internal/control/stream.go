package control

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/lmkd/lmkd/internal/sys"
)

// stream is one connection to the native socket.
type stream struct {
	conn *net.UnixConn
	uid  uint32

	// Under the lock of Native.
	asked Request
	lines chan []byte
	ended bool // lines is closed
}

// end closes the lines, once; the lock is held.
func (s *stream) end() {
	if !s.ended {
		s.ended = true
		close(s.lines)
	}
}

// serve answers one client.
func (n *Native) serve(conn *net.UnixConn) {
	defer n.wait.Done()
	defer func() { _ = conn.Close() }()
	s := &stream{conn: conn, lines: make(chan []byte, streamLines)}
	err := n.join(s)
	if err == nil {
		defer n.leave(s)
		err = n.answer(s)
	}
	if err != nil {
		_, _ = conn.Write(line(ErrorLine{err.Error()}))
	}
}

// join makes room for a client.
func (n *Native) join(s *stream) error {
	var err error
	if s.uid, err = peer(s.conn); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	same := 0
	for _, other := range n.streams {
		if other.uid == s.uid {
			same++
		}
	}
	switch {
	case n.closed:
		return net.ErrClosed
	case len(n.streams) >= maxStreams, same >= maxStreamsUser && s.uid != 0:
		return fmt.Errorf("there is room for %d clients, and %d of a user", maxStreams, maxStreamsUser)
	}
	n.streams = append(n.streams, s)
	return nil
}

// peer gives the user who connected.
func peer(conn *net.UnixConn) (uid uint32, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var e sys.Errno
	if err = raw.Control(func(fd uintptr) {
		var c sys.Credentials
		c, e = sys.PeerCredentials(int(fd))
		uid = c.UID
	}); err != nil {
		return 0, err
	}
	return uid, sys.Err(e)
}

// leave forgets a client.
func (n *Native) leave(s *stream) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.streams = slices.DeleteFunc(n.streams, func(one *stream) bool { return one == s })
	s.end()
}

// answer gives a client what holds now, and then what changes, if it follows.
func (n *Native) answer(s *stream) error {
	_ = s.conn.SetDeadline(time.Now().Add(hurry))
	asked, err := readRequest(s.conn)
	if err != nil {
		return err
	}
	if _, err := s.conn.Write(n.begin(s, asked)); err != nil {
		return err
	}
	_ = s.conn.SetDeadline(time.Time{})
	if !asked.Follow {
		return nil
	}
	n.wait.Add(1)
	go n.untilEnd(s)
	for l := range s.lines {
		if _, err := s.conn.Write(l); err != nil {
			return nil // nobody is there to be told
		}
	}
	return nil
}

// readRequest reads and checks the one line that a client sends.
func readRequest(conn net.Conn) (Request, error) {
	var r Request
	text, err := bufio.NewReaderSize(conn, maxLine).ReadSlice('\n')
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	switch {
	case err != nil:
		return r, fmt.Errorf("read the request: %w", err)
	case r.Command != "levels" && r.Command != "kills":
		return r, fmt.Errorf("there is no command %q: levels or kills", r.Command)
	case r.Command == "kills" && !r.Follow:
		return r, errors.New("kills can only be followed")
	}
	return r, nil
}

// begin has a client hear of what changes from now on, and gives what holds.
func (n *Native) begin(s *stream, asked Request) (now []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	s.asked = asked
	if asked.Command == "levels" {
		for i := range n.levels {
			now = append(now, line(n.levels[i])...)
		}
	}
	return now
}

// untilEnd waits for the client to hang up; whatever else it sends is not read.
func (n *Native) untilEnd(s *stream) {
	defer n.wait.Done()
	var b [64]byte
	for {
		if _, err := s.conn.Read(b[:]); err != nil {
			break
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	s.end()
}

// line writes v as one line; what is written here always can be.
func line(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		text = []byte("{}")
	}
	return append(text, '\n')
}
