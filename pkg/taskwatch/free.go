package taskwatch

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/lmkd/lmkd/internal/sys"
)

// morgue follows processes from their exit to their reaping, while somebody
// waits for Free. An exit event is old when it is read: the process may have
// been reaped, or its leader's death may have been the beginning of an exec by
// another thread, whose event is still in the queue. So a body is looked at when
// the queue is empty, and if nothing is found is reported when the queue, read
// once more, has not told of an exec.
type morgue struct {
	bodies map[int]body // by pid
	fresh  []int        // to be looked at
	gone   []int        // found to be reaped
}

// body is a process that has ended. Its pidfd hangs up when it is reaped.
type body struct {
	fd     sys.FD // closed until it was found
	missed bool   // looked for and not found
	exit   Event
}

// freeIsTold reports whether pidfds hang up here, which came with pidfs.
func freeIsTold() error {
	fd, e := sys.PidfdOpen(sys.Getpid())
	if e != 0 {
		return fmt.Errorf("watch reapings: open pidfd: %w", e)
	}
	defer fd.Close()
	if sys.PidfdInode(fd.Int()) == 0 {
		return fmt.Errorf("watch reapings: pidfds do not tell of them before Linux 6.9: %w", errors.ErrUnsupported)
	}
	return nil
}

// died takes in a process whose leader has exited. A body with its pid, and no
// exec since, is that of a predecessor, which was reaped; unless it is not, and
// the process died in the middle of an exec.
func (h *hub) died(exit *Event) {
	m := &h.morgue
	h.hungUp(exit.PID)
	b, known := m.bodies[exit.PID]
	if known && !b.fd.Open() {
		h.free(&b.exit)
	}
	b.exit, b.missed = *exit, false
	m.bodies[exit.PID] = b
	if !b.fd.Open() {
		m.fresh = append(m.fresh, exit.PID)
	}
}

// inspect looks at those who died since the last time, and tells of those who
// were gone then and are still.
func (h *hub) inspect() (again bool) {
	m := &h.morgue
	for _, pid := range m.gone {
		if b, known := m.bodies[pid]; known && b.missed {
			delete(m.bodies, pid)
			h.free(&b.exit)
		}
	}
	m.gone = m.gone[:0]
	for _, pid := range m.fresh {
		if b, known := m.bodies[pid]; known && !h.lay(pid, b) {
			b.missed = true
			m.bodies[pid] = b
			m.gone = append(m.gone, pid)
		}
	}
	m.fresh = m.fresh[:0]
	return len(m.gone) > 0
}

// lay waits for the hang-up of a body's pidfd; false when it is reaped already.
func (h *hub) lay(pid int, b body) bool {
	fd, e := sys.PidfdOpen(pid)
	if e == sys.ESRCH || e == sys.EINVAL || e == sys.ENOENT || e == 0 && succeeded(fd.Int(), &b.exit) {
		_ = fd.Close()
		return false
	}
	if e == 0 {
		e = h.line.epoll.Add(fd.Int(), 0, uint64(pid))
	}
	if e != 0 { // out of descriptors or memory
		_ = fd.Close()
		delete(h.morgue.bodies, pid)
		h.tell(&Event{Kind: Lost, Time: b.exit.Time})
		return true
	}
	b.fd = fd.Take()
	h.morgue.bodies[pid] = b
	return true
}

// rose forgets a process whose leader had exited, and which another thread
// carries on in an exec.
func (h *hub) rose(pid int) {
	if b, known := h.morgue.bodies[pid]; known {
		delete(h.morgue.bodies, pid)
		_ = b.fd.Close()
	}
}

// hungUp tells of the reaping of pid, if the pidfd of its body says so.
func (h *hub) hungUp(pid int) {
	b, known := h.morgue.bodies[pid]
	if !known || !b.fd.Open() {
		return
	}
	if ready, _ := sys.PollIn(b.fd.Int()); ready&sys.Hup == 0 {
		return
	}
	delete(h.morgue.bodies, pid)
	_ = b.fd.Close()
	h.free(&b.exit)
}

func (h *hub) free(exit *Event) {
	ev := *exit
	ev.Kind, ev.Time = Free, sys.Now()
	h.tell(&ev)
}

func (m *morgue) close() {
	for _, b := range m.bodies {
		_ = b.fd.Close()
	}
	*m = morgue{}
}

// succeeded reports whether pidfd is of a process that got the pid after the
// exit: it lives, and started later.
func succeeded(pidfd int, exit *Event) bool {
	if ready, e := sys.PollIn(pidfd); e != 0 || ready != 0 {
		return false
	}
	start, ok := startTime(exit.PID)
	const tick = time.Second / 100 // USER_HZ
	suspended := sys.SinceBoot() - sys.Now()
	return ok && time.Duration(start)*tick > exit.Time+suspended
}

// startTime reads field 22 of /proc/PID/stat, in ticks since boot.
func startTime(pid int) (uint64, bool) {
	var path [40]byte
	var buf [1280]byte
	name := append(strconv.AppendInt(append(path[:0], "/proc/"...), int64(pid), 10), "/stat\x00"...)
	line, e := sys.ReadFileAt(sys.CWD, name, buf[:])
	if e != 0 {
		return 0, false
	}
	return parseStart(line)
}

// parseStart finds field 22: the name, field 2, may hold anything, but is
// followed by the last ')'.
func parseStart(line []byte) (uint64, bool) {
	at := bytes.LastIndexByte(line, ')')
	if at < 0 {
		return 0, false
	}
	fields := bytes.Fields(line[at+1:])
	if len(fields) < 20 {
		return 0, false
	}
	n, err := strconv.ParseUint(string(fields[19]), 10, 64)
	return n, err == nil
}
