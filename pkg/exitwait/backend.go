package exitwait

import (
	"errors"
	"fmt"
	"time"

	"github.com/lmkd/lmkd/internal/sys"
)

// Backend names what tells of an exit.
type Backend int

// The backends, the best first. Auto takes Pidfd where the kernel has it, else
// Connector where that is permitted, else Poll if an interval was given.
const (
	Auto      Backend = iota
	Pidfd             // pidfd_open(2), Linux 5.3
	Connector         // exit events of the proc connector: root, initial namespaces
	Ptrace            // a tracer's wait: tells of stops, too, and costs the target
	Poll              // /proc and kill 0, at an interval of the caller's choice
)

var backendNames = [...]string{"auto", "pidfd", "connector", "ptrace", "poll"}

// String gives the name that ParseBackend reads.
func (b Backend) String() string {
	if b < 0 || int(b) >= len(backendNames) {
		return fmt.Sprintf("backend %d", int(b))
	}
	return backendNames[b]
}

// ParseBackend reads a name: auto, pidfd, connector, ptrace or poll.
func ParseBackend(name string) (Backend, error) {
	for b, known := range backendNames {
		if name == known {
			return Backend(b), nil
		}
	}
	return Auto, fmt.Errorf("no backend is named %q: there are auto, pidfd, connector, ptrace and poll", name)
}

// Probe tries whether the backend can be used here: nil, or why not. It
// touches no other process.
func Probe(b Backend) error {
	switch b {
	case Pidfd:
		return sys.Pidfd.Probe()
	case Connector:
		c, err := sys.JoinConnector(sys.ProcExit, 0)
		if err != nil {
			return err
		}
		return c.Close()
	case Ptrace:
		if e := sys.Seize(-1); e != sys.ESRCH {
			return &opError{"seize", e}
		}
	}
	_, err := readStat(sys.Getpid())
	return err
}

// Option changes how Open waits.
type Option func(*options)

type options struct {
	backend  Backend
	interval time.Duration
}

// With chooses the backend. Without it, Auto is used.
func With(b Backend) Option { return func(o *options) { o.backend = b } }

// Every permits to poll, and says how often. Poll needs it; Auto polls only
// with it, and only where nothing else works.
func Every(interval time.Duration) Option { return func(o *options) { o.interval = interval } }

// Open opens the process pid. ErrGone: there is none; ErrThread: pid is a
// thread's number. A zombie can be opened, and has exited.
func Open(pid int, opts ...Option) (*Process, error) {
	p, err := open(pid, opts)
	if err != nil {
		return nil, &opError{fmt.Sprintf("open process %d", pid), err}
	}
	return p, nil
}

func open(pid int, opts []Option) (*Process, error) {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	p := new(Process)
	if err := p.open(pid, o); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *Process) open(pid int, o options) error {
	switch o.backend {
	case Auto:
		return p.openAuto(pid, o)
	case Pidfd:
		return p.Reset(pid)
	case Connector, Ptrace, Poll:
		return p.openSource(pid, o)
	}
	return fmt.Errorf("%v: %w", o.backend, sys.EINVAL)
}

// openAuto goes down the list. A kernel without pidfd_open says ENOSYS, a
// sandbox that forbids it usually EPERM.
func (p *Process) openAuto(pid int, o options) error {
	err := p.Reset(pid)
	if !errors.Is(err, sys.ENOSYS) && !errors.Is(err, sys.EPERM) {
		return err
	}
	tried := fmt.Errorf("pidfd: %w", err)
	for _, b := range []Backend{Connector, Poll} {
		err := p.openSource(pid, options{b, o.interval})
		if err == nil || errors.Is(err, ErrGone) || errors.Is(err, ErrThread) {
			return err
		}
		tried = fmt.Errorf("%w; %v: %w", tried, b, err)
	}
	return tried
}

// errNoInterval refuses to poll unasked.
var errNoInterval = errors.New("polling needs an interval")

// openSource opens pid without a pidfd.
func (p *Process) openSource(pid int, o options) error {
	if o.backend == Poll && o.interval <= 0 {
		return errNoInterval
	}
	id, err := identify(pid)
	if err != nil {
		return err
	}
	bell, err := sys.NewEventfd()
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.id, p.bell = id, bell
	p.mu.Unlock()
	var src source
	switch o.backend {
	case Connector:
		src = &listener{process: p, id: id}
	case Ptrace:
		src = &tracee{process: p, id: id}
	default:
		src = &poller{process: p, id: id, interval: o.interval, stop: make(chan struct{})}
	}
	p.mu.Lock()
	p.src = src
	p.mu.Unlock()
	if err := src.attach(); err != nil {
		_ = p.Close()
		return err
	}
	return nil
}
