package exitwait

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/lmkd/lmkd/internal/sys"
)

// Handle is the identity of a process in numbers that can be written down, and
// mean the same process to whoever reads them in the same pid namespace.
//
// Its text is PID:INODE:START:BOOT, "4711:1846:982133:5c2e…-…"; what is not
// known is left empty. PID:INODE, as util-linux prints and reads it, is a text
// too, and so is PID, which identifies nothing after the process has gone.
type Handle struct {
	PID   int
	Inode uint64 // of its pidfd on pidfs (Linux 6.9): never reused; 0 when not known
	Start uint64 // clock ticks since boot, field 22 of stat; 0 when not known
	Boot  string // the boot's random id, /proc/sys/kernel/random/boot_id; "" when not known
}

// errHandle is wrapped by all errors of ParseHandle.
var errHandle = errors.New("not PID, PID:INODE or PID:INODE:START:BOOT")

// String gives the text.
func (h Handle) String() string {
	text := strconv.Itoa(h.PID)
	if h.Start != 0 || h.Boot != "" {
		return text + ":" + known(h.Inode) + ":" + known(h.Start) + ":" + h.Boot
	}
	if h.Inode != 0 {
		text += ":" + known(h.Inode)
	}
	return text
}

func known(n uint64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatUint(n, 10)
}

// MarshalText gives the text.
func (h Handle) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads what MarshalText gave.
func (h *Handle) UnmarshalText(text []byte) (err error) {
	*h, err = ParseHandle(string(text))
	return err
}

// ParseHandle reads a text of a Handle.
func ParseHandle(text string) (Handle, error) {
	field := strings.Split(text, ":")
	if len(field) == 3 || len(field) > 4 {
		return Handle{}, fmt.Errorf("handle %q: %w", text, errHandle)
	}
	pid, err := strconv.ParseUint(field[0], 10, 31)
	h := Handle{PID: int(pid)}
	if err == nil && pid == 0 {
		err = sys.EINVAL
	}
	if err == nil && len(field) > 1 {
		h.Inode, err = optional(field[1], len(field) == 4)
	}
	if err == nil && len(field) > 2 {
		h.Start, err = optional(field[2], true)
		h.Boot = field[3]
	}
	if err != nil || !bootID(h.Boot) {
		return Handle{}, fmt.Errorf("handle %q: %w", text, errHandle)
	}
	return h, nil
}

// optional reads a number that may be missing.
func optional(text string, mayMiss bool) (uint64, error) {
	if text == "" && mayMiss {
		return 0, nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err == nil && n == 0 {
		err = sys.EINVAL
	}
	return n, err
}

// bootID reports whether text is a UUID or nothing.
func bootID(text string) bool {
	if text == "" {
		return true
	}
	for i, c := range []byte(text) {
		hex := c >= '0' && c <= '9' || c >= 'a' && c <= 'f'
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (c == '-') || !dash && !hex {
			return false
		}
	}
	return len(text) == 36
}

// Handle gives the identity of p, to be written down.
func (p *Process) Handle() (Handle, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.opened() {
		return Handle{}, ErrClosed
	}
	boot, err := readBoot()
	if err != nil {
		return Handle{}, &opError{"read the boot id", err}
	}
	h := Handle{PID: p.id.pid, Start: p.id.start, Boot: boot}
	if p.fd.Open() {
		h.Inode = sys.PidfdInode(p.fd.Int())
	}
	return h, nil
}

func readBoot() (string, error) {
	var buf [64]byte
	text, e := sys.ReadFileAt(sys.CWD, []byte("/proc/sys/kernel/random/boot_id\x00"), buf[:])
	if e != 0 {
		return "", e
	}
	return string(bytes.TrimSpace(text)), nil
}

// The reasons of a Reopen's ErrGone.
var (
	errOtherBoot = fmt.Errorf("the machine has booted since: %w", ErrGone)
	errSuccessor = fmt.Errorf("the pid belongs to a later process: %w", ErrGone)
)

// Reopen opens the process that h was written down for, in this program or
// another. ErrGone: it has exited and was reaped, and the error says by what
// that was seen; a successor of its pid is never opened. A zombie is opened, and
// tells its status. An h of nothing but a pid opens whatever has the pid. When h
// has an inode but no start time, the kernel must be 6.9 or later.
func Reopen(h Handle, opts ...Option) (*Process, error) {
	p, err := reopen(h, opts)
	if err != nil {
		return nil, &opError{"reopen process " + h.String(), err}
	}
	return p, nil
}

func reopen(h Handle, opts []Option) (*Process, error) {
	if h.Boot != "" {
		boot, err := readBoot()
		if err != nil {
			return nil, &opError{"read the boot id", err}
		}
		if boot != h.Boot {
			return nil, errOtherBoot
		}
	}
	p, err := open(h.PID, opts)
	if err == ErrThread && h.Inode|h.Start != 0 {
		return nil, errSuccessor
	}
	if err != nil {
		return nil, err
	}
	if err := h.check(p); err != nil {
		_ = p.Close()
		return nil, err
	}
	return p, nil
}

// check compares p with what was written down.
func (h Handle) check(p *Process) error {
	now, err := p.Handle()
	switch {
	case err != nil:
		return err
	case h.Start == 0 && h.Inode != 0 && now.Inode == 0:
		return fmt.Errorf("compare the inode: pidfds have none here: %w", errors.ErrUnsupported)
	case h.Start != 0 && now.Start != 0 && h.Start != now.Start,
		h.Inode != 0 && now.Inode != 0 && h.Inode != now.Inode:
		return errSuccessor
	case h.Start != 0 && now.Start == 0 && (h.Inode == 0 || now.Inode == 0):
		return errHidden
	}
	return nil
}
