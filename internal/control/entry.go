package control

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/exitwait"
	"github.com/lmkd/lmkd/pkg/lmkproto"
	"github.com/lmkd/lmkd/pkg/victim"
)

// entry is one registered process. It owns the pidfd, and with it the identity.
type entry struct {
	victim.Registration
	owner  int32  // the client's pid; 0 when no client has it any more
	keeper uint32 // the uid of that client
	real   uint32 // the process's own real uid
	floor  int16  // its oom_score_adj in the kernel before anybody registered it
	proc   exitwait.Process
}

// gone tells whether the process has exited; its pid may be another's by now.
func (r *entry) gone() bool {
	_, err := r.proc.TryWait()
	return !errors.Is(err, exitwait.ErrRunning)
}

// mayTouch tells whether a client may change a record: its own, and one without an
// owner that it could have made itself.
func (r *entry) mayTouch(c *caller) error {
	switch {
	case r.owner == c.pid:
		return nil
	case r.owner != 0:
		return fmt.Errorf("pid %d was registered by client %d", r.PID, r.owner)
	case !c.trusted && r.keeper != c.uid:
		return fmt.Errorf("pid %d was registered by uid %d, and uid %d is not trusted (control.trusted)", r.PID, r.keeper, c.uid)
	}
	return nil
}

// mayAssign tells whether a client may give the process of r an oom_score_adj. Who
// is not trusted may register processes of its own uid, and never lower what the
// system gave them: the daemon would do for it what the kernel refuses it.
func (r *entry) mayAssign(c *caller, p *lmkproto.Proc) error {
	switch {
	case c.trusted:
		return nil
	case r.real != c.uid:
		return fmt.Errorf("pid %d belongs to uid %d, and uid %d is not trusted (control.trusted)", p.PID, r.real, c.uid)
	case p.UID != int32(c.uid):
		return fmt.Errorf("pid %d does not belong to uid %d", p.PID, p.UID)
	case p.Adj < int32(r.floor):
		return fmt.Errorf("oom_score_adj %d of pid %d is below the %d that it had, and uid %d is not trusted (control.trusted)", p.Adj, p.PID, r.floor, c.uid)
	}
	return nil
}

// procfs reads and writes what registration needs of /proc/PID. The pidfd must be
// open before: whoever is alive after a file was opened is the one it belongs to.
type procfs struct {
	fd   sys.FD
	path []byte
	buf  [8 << 10]byte
}

func (f *procfs) file(pid int32, name string) []byte {
	f.path = strconv.AppendInt(f.path[:0], int64(pid), 10)
	f.path = append(append(append(f.path, '/'), name...), 0)
	return f.path
}

// open makes the record of a process that nobody registered yet.
func (f *procfs) open(pid int32) (*entry, error) {
	r := &entry{Registration: victim.Registration{PID: pid}}
	if err := r.proc.Reset(int(pid)); err != nil {
		return nil, fmt.Errorf("open pid %d: %w", pid, err)
	}
	err := f.identify(r)
	if err == nil && r.gone() {
		err = fmt.Errorf("open pid %d: %w", pid, exitwait.ErrGone)
	}
	if err != nil {
		_ = r.proc.Close()
		return nil, err
	}
	return r, nil
}

// identify fills what the kernel says of the process.
func (f *procfs) identify(r *entry) error {
	r.StartTime = r.proc.StartTime()
	if r.StartTime == 0 {
		return fmt.Errorf("read /proc/%d/stat: hidden (hidepid)", r.PID)
	}
	n, e := sys.ReadOnceAt(f.fd.Int(), f.file(r.PID, "status"), 0, f.buf[:])
	if e != 0 {
		return fmt.Errorf("read /proc/%d/status: %w", r.PID, e)
	}
	tgid, uid, err := parseStatus(f.buf[:n])
	if err != nil {
		return fmt.Errorf("read /proc/%d/status: %w", r.PID, err)
	}
	if tgid != r.PID {
		return fmt.Errorf("pid %d is a thread of %d", r.PID, tgid)
	}
	r.real = uid
	n, e = sys.ReadOnceAt(f.fd.Int(), f.file(r.PID, "oom_score_adj"), 0, f.buf[:])
	if e != 0 {
		return fmt.Errorf("read /proc/%d/oom_score_adj: %w", r.PID, e)
	}
	r.floor, err = parseAdj(f.buf[:n])
	return err
}

// assign writes the kernel's oom_score_adj of the process of r.
func (f *procfs) assign(r *entry, adj int32) error {
	fd, e := sys.OpenAt(f.fd.Int(), f.file(r.PID, "oom_score_adj"), sys.WriteOnly)
	if e == sys.ENOENT || e == 0 && r.gone() {
		_ = fd.Close()
		return fmt.Errorf("set oom_score_adj of pid %d: %w", r.PID, exitwait.ErrGone)
	}
	if e == 0 {
		_, e = sys.Write(fd.Int(), strconv.AppendInt(f.path[:0], int64(adj), 10))
		_ = fd.Close()
	}
	if e == sys.EACCES || e == sys.EPERM {
		return fmt.Errorf("set oom_score_adj of pid %d: %w (the daemon needs CAP_DAC_OVERRIDE, and CAP_SYS_RESOURCE to lower it)", r.PID, e)
	}
	if e != 0 {
		return fmt.Errorf("set oom_score_adj of pid %d: %w", r.PID, e)
	}
	return nil
}
