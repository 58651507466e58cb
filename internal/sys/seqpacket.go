package sys

import "golang.org/x/sys/unix"

// Credentials are who sent a packet, or who connected, as the kernel says: ids of
// our own namespaces, PID 0 for a process that is not in ours.
type Credentials struct {
	PID int32
	UID uint32
}

// NewSeqpacket makes a Unix socket of type SOCK_SEQPACKET at path, which must not
// exist. Nobody but root may connect before mode is set.
func NewSeqpacket(path string, mode uint32) (FD, error) {
	n, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return FD{}, &OpError{"make a socket", errno(err)}
	}
	fd := NewFD(n)
	// The mode before bind(2) is that of the file which bind makes.
	_ = unix.Fchmod(n, 0o600)
	if err = unix.Bind(n, &unix.SockaddrUnix{Name: path}); err != nil {
		_ = fd.Close()
		return FD{}, &OpError{"bind " + path, errno(err)}
	}
	if err = unix.Chmod(path, mode); err != nil {
		_ = fd.Close()
		return FD{}, &OpError{"set the mode of " + path, errno(err)}
	}
	return fd, nil
}

// DialSeqpacket connects to such a socket; Read and Write of the descriptor wait,
// and are a packet each.
func DialSeqpacket(path string) (FD, error) {
	n, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return FD{}, &OpError{"make a socket", errno(err)}
	}
	if err = unix.Connect(n, &unix.SockaddrUnix{Name: path}); err != nil {
		fd := NewFD(n)
		_ = fd.Close()
		return FD{}, &OpError{"connect to " + path, errno(err)}
	}
	return NewFD(n), nil
}

// ListenSeqpacket lets clients connect to a bound socket; every packet from them
// comes with credentials. A socket of another kind is refused.
func ListenSeqpacket(fd, backlog int) error {
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil {
		return &OpError{"ask for the type of the socket", errno(err)}
	}
	if kind != unix.SOCK_SEQPACKET {
		return &OpError{"listen: the socket is not SOCK_SEQPACKET", EINVAL}
	}
	if err = unix.SetNonblock(fd, true); err == nil {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PASSCRED, 1)
	}
	if err == nil {
		err = unix.Listen(fd, backlog)
	}
	if err != nil {
		return &OpError{"listen", errno(err)}
	}
	return nil
}

// Accept takes the next connection, non-blocking, with who made it. EAGAIN when
// there is none.
func Accept(fd int) (FD, Credentials, Errno) {
	n, _, err := unix.Accept4(fd, unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
	if err != nil {
		return FD{}, Credentials{}, errno(err)
	}
	conn := NewFD(n)
	who, e := PeerCredentials(n)
	if e != 0 {
		_ = conn.Close()
		return FD{}, Credentials{}, e
	}
	return conn, who, 0
}

// PeerCredentials tells who connected to a Unix socket (SO_PEERCRED, unix(7)).
func PeerCredentials(fd int) (Credentials, Errno) {
	c, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return Credentials{}, errno(err)
	}
	return Credentials{c.Pid, c.Uid}, 0
}

// ReceivePacket reads one packet and who sent it, without waiting. n is its whole
// length, which may exceed that of buf: then the rest is lost. 0 is the end of the
// connection, or an empty packet. known is false when the kernel did not tell who.
func ReceivePacket(fd int, buf []byte) (n int, from Credentials, known bool, e Errno) {
	var control [64]byte
	n, used, _, _, err := unix.Recvmsg(fd, buf, control[:], unix.MSG_DONTWAIT|unix.MSG_TRUNC|unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return 0, Credentials{}, false, errno(err)
	}
	messages, err := unix.ParseSocketControlMessage(control[:used])
	if err != nil {
		return n, Credentials{}, false, 0
	}
	for i := range messages {
		if fds, err := unix.ParseUnixRights(&messages[i]); err == nil {
			for _, sent := range fds { // nobody asked for them
				_ = unix.Close(sent)
			}
		}
		if c, err := unix.ParseUnixCredentials(&messages[i]); err == nil {
			from, known = Credentials{c.Pid, c.Uid}, c.Pid > 0
		}
	}
	return n, from, known, 0
}

// SendPacket writes one packet without waiting: EAGAIN when the reader has too
// many unread, EPIPE when it is gone.
func SendPacket(fd int, packet []byte) Errno {
	return errno(unix.Sendto(fd, packet, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, nil))
}
