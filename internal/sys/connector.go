package sys

import (
	"encoding/binary"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Connector is a subscription to the kernel's process events (netlink
// connector, CN_IDX_PROC). It is not safe for concurrent use.
type Connector struct {
	fd       FD
	port     uint32 // the socket's own address: marks our acknowledgements
	filtered bool
	box      *mailbox
}

// CauseError says what was being done and why it cannot be, where the error
// number alone would mislead.
type CauseError struct {
	Doing string
	Cause string
	Errno Errno
}

func (e *CauseError) Error() string { return e.Doing + ": " + e.Cause }

// Unwrap gives the error number for errors.Is.
func (e *CauseError) Unwrap() error { return e.Errno }

const joining = "join process events"

// JoinConnector subscribes to the kinds of mask. Kernels before 6.6 have no
// filter and send everything; Filtered tells. A receive buffer of size bytes is
// asked for, 0 means the system's own.
//
// The errors name the cause: EPERM without CAP_NET_ADMIN (needed before 6.6) or
// outside the initial pid and user namespace, ECONNREFUSED outside the initial
// network namespace, EPROTONOSUPPORT and ENODEV for a kernel without connector
// or without process events.
func JoinConnector(mask ProcEventKind, size int) (*Connector, error) {
	if e := initialNamespaces(); e != nil {
		return nil, e
	}
	n, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_CONNECTOR)
	if err != nil {
		return nil, &CauseError{joining, "this kernel has no netlink connector (CONFIG_CONNECTOR)", errno(err)}
	}
	c := &Connector{fd: NewFD(n), box: newMailbox()}
	if err := c.join(mask, size); err != nil {
		_ = c.fd.Close()
		return nil, err
	}
	return c, nil
}

// initialNamespaces looks where we are: from other namespaces the kernel ignores
// the request without a word. The inode numbers are fixed (PROC_PID_INIT_INO
// and PROC_USER_INIT_INO of include/linux/proc_ns.h).
func initialNamespaces() error {
	for _, ns := range []struct{ name, link, want string }{
		{"pid", "/proc/self/ns/pid\x00", "pid:[4026531836]"},
		{"user", "/proc/self/ns/user\x00", "user:[4026531837]"},
	} {
		var buf [64]byte
		n, e := ReadLink([]byte(ns.link), buf[:])
		if e == 0 && string(buf[:n]) != ns.want {
			return &CauseError{joining, "only in the initial " + ns.name + " namespace, and this is another one", EPERM}
		}
	}
	return nil
}

func (c *Connector) join(mask ProcEventKind, size int) error {
	if size > 0 {
		if e := c.SetBuffer(size); e != 0 {
			return &OpError{"set the buffer of process events", e}
		}
	}
	err := unix.Bind(c.fd.Int(), &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: cnIdxProc})
	if err != nil {
		return refused(errno(err))
	}
	self, err := unix.Getsockname(c.fd.Int())
	if netlink, ok := self.(*unix.SockaddrNetlink); ok && err == nil {
		c.port = netlink.Pid
	}
	return c.subscribe(mask)
}

func refused(e Errno) error {
	switch e {
	case EPERM, EACCES:
		return &CauseError{joining, "needs CAP_NET_ADMIN on kernels before 6.6", e}
	case unix.ECONNREFUSED:
		return &CauseError{joining, "only in the initial network namespace, and this is another one", e}
	}
	return &OpError{joining, e}
}

// subscribe asks for events with the message of Linux 6.6, which carries a
// filter, and if that is met with silence with the older one. Requests are
// handled, and acknowledged, before send returns. The filter drops even the
// acknowledgement unless it is the kernel's PROC_EVENT_ALL, so that the mask
// itself is set by a second message.
func (c *Connector) subscribe(mask ProcEventKind) error {
	const listen = 1
	const everything = ProcAll | procNonzeroExit
	for _, filtered := range []bool{true, false} {
		acked, e := c.request(listen, everything, filtered)
		if e != 0 {
			return refused(e)
		}
		if acked {
			c.filtered = filtered
			if e := c.SetMask(mask); e != 0 {
				return refused(e)
			}
			return nil
		}
	}
	return &CauseError{joining, "this kernel does not report process events (CONFIG_PROC_EVENTS)", ENODEV}
}

// Filtered reports whether the kernel drops the kinds that are not asked for
// (Linux 6.6).
func (c *Connector) Filtered() bool { return c.filtered }

// SetMask changes the kinds that are wanted. On kernels without a filter it does
// nothing.
func (c *Connector) SetMask(mask ProcEventKind) Errno {
	const listen = 1
	if !c.filtered {
		return 0
	}
	return c.send(listen, mask, true)
}

// request sends and looks for the acknowledgement among what has arrived. All
// subscribers get it; ours has the number that we sent, plus one.
func (c *Connector) request(op uint32, mask ProcEventKind, filtered bool) (acked bool, e Errno) {
	if e := c.send(op, mask, filtered); e != 0 {
		return false, e
	}
	var events [16]ProcEvent
	for {
		n, e := c.Read(events[:])
		if e == EAGAIN {
			return false, 0
		}
		if e != 0 && e != ENOBUFS {
			return false, e
		}
		for _, ev := range events[:n] {
			if ev.Kind == ProcAck && ev.B == c.port+1 {
				return true, Errno(ev.A)
			}
		}
	}
}

// send writes one request: the operation alone, or with a filter.
func (c *Connector) send(op uint32, mask ProcEventKind, filtered bool) Errno {
	var b [atProcEvent + 8]byte
	size := 4
	if filtered {
		size = 8
	}
	put := binary.NativeEndian.PutUint32
	put(b[0:], uint32(atProcEvent+size))
	binary.NativeEndian.PutUint16(b[4:], unix.NLMSG_DONE)
	put(b[atConnMsg:], cnIdxProc)
	put(b[atConnMsg+4:], cnValProc)
	put(b[atConnMsg+12:], c.port)
	binary.NativeEndian.PutUint16(b[atConnMsg+16:], uint16(size))
	put(b[atProcEvent:], op)
	put(b[atProcEvent+4:], uint32(mask))
	for {
		_, e := Write(c.fd.Int(), b[:atProcEvent+size])
		if e != ENOBUFS {
			return e
		}
		// A loss that nobody has read about yet is reported here: the
		// error is taken by this call, the request was not sent.
		c.box.lost = true
	}
}

// Fd gives the descriptor for an epoll, readable when events have arrived.
func (c *Connector) Fd() int { return c.fd.Int() }

// Close unsubscribes: before 6.6 a socket that is just closed would leave the
// kernel sending to nobody for ever.
func (c *Connector) Close() error {
	const ignore = 2
	if c.fd.Open() {
		_ = c.send(ignore, ProcAll, c.filtered)
	}
	return c.fd.Close()
}

// mailbox is where one recvmmsg(2) puts its datagrams.
type mailbox struct {
	lost bool // a loss was seen outside of Read
	head [letters]mmsghdr
	vec  [letters]unix.Iovec
	from [letters]unix.RawSockaddrNetlink
	data [letters][letterSize]byte
}

const letters, letterSize = 32, 128

type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
}

func newMailbox() *mailbox {
	m := new(mailbox)
	for i := range m.head {
		m.vec[i].Base = &m.data[i][0]
		m.vec[i].SetLen(letterSize)
		m.head[i].hdr.Name = (*byte)(unsafe.Pointer(&m.from[i]))
		m.head[i].hdr.Iov = &m.vec[i]
		m.head[i].hdr.SetIovlen(1)
	}
	return m
}

// Read takes events that have arrived, without waiting: how many, at most
// len(out). EAGAIN: none; ENOBUFS: the kernel had to drop events since the last
// Read, those that are left follow. It does not allocate. What other processes
// send is ignored.
func (c *Connector) Read(out []ProcEvent) (int, Errno) {
	if c.box.lost {
		c.box.lost = false
		return 0, ENOBUFS
	}
	n, e := c.box.receive(c.fd.Int(), min(len(out), letters))
	if e != 0 {
		return 0, e
	}
	kept := 0
	for i := range n {
		ev, ok := ParseProcEvent(c.box.data[i][:min(c.box.head[i].len, letterSize)])
		if ok && c.box.from[i].Pid == 0 {
			out[kept] = ev
			kept++
		}
	}
	return kept, 0
}

func (m *mailbox) receive(fd, want int) (int, Errno) {
	for i := range want {
		m.head[i].hdr.Namelen = unix.SizeofSockaddrNetlink
	}
	for {
		n, _, e := unix.Syscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&m.head[0])),
			uintptr(want), unix.MSG_DONTWAIT, 0, 0)
		if e == 0 {
			return int(n), 0
		}
		if e != EINTR {
			return 0, e
		}
	}
}

// SetBuffer asks for a receive buffer of size bytes, beyond the system's limit
// if we may.
func (c *Connector) SetBuffer(size int) Errno {
	err := unix.SetsockoptInt(c.fd.Int(), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, size)
	if err == unix.EPERM {
		err = unix.SetsockoptInt(c.fd.Int(), unix.SOL_SOCKET, unix.SO_RCVBUF, size)
	}
	return errno(err)
}
