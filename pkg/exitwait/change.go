package exitwait

import (
	"context"
	"errors"
	"fmt"
)

// State is what a process does, as far as a wait is concerned.
type State int

// The states. A process is Running whether or not it sleeps.
const (
	Running State = iota
	Stopped       // by SIGSTOP, SIGTSTP, SIGTTIN or SIGTTOU
	Exited
)

// String gives the state in words.
func (s State) String() string {
	switch s {
	case Stopped:
		return "stopped"
	case Exited:
		return "exited"
	default:
		return "running"
	}
}

// Change is the last change of a process's state.
type Change struct {
	// Seq counts the changes that were seen, from 0: a gap of more than one
	// between two calls of WaitChange is changes that were undone meanwhile.
	Seq    uint64
	State  State
	Signal int  // that stopped it; 0 when not known
	Exit   Exit // when Exited
}

// WaitChange waits for a change after the one with the number seq (0: the
// state at Open) and gives the last one. An exited process changes no more: its
// exit is given again and again. Only Ptrace sees every stop and continuation;
// Poll sees what lasts longer than its interval; the other backends give
// errors.ErrUnsupported. Else the errors are those of Wait.
func (p *Process) WaitChange(ctx context.Context, seq uint64) (Change, error) {
	for {
		last, changed, closing, err := p.lastChange()
		if err != nil || last.Seq > seq || last.State == Exited {
			return last, err
		}
		select {
		case <-changed:
		case <-closing:
			return Change{}, ErrClosed
		case <-ctx.Done():
			return Change{}, context.Cause(ctx)
		}
	}
}

// lastChange gives the last change and the channels of the next one and of
// Close.
func (p *Process) lastChange() (Change, <-chan struct{}, <-chan struct{}, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch p.src.(type) {
	case *tracee, *poller:
	default:
		if !p.opened() {
			return Change{}, nil, nil, ErrClosed
		}
		return Change{}, nil, nil, fmt.Errorf("wait for a stop of process %d: this backend tells of the exit only: %w",
			p.id.pid, errors.ErrUnsupported)
	}
	if p.changed == nil {
		p.changed = make(chan struct{})
	}
	if _, _, err := p.waitable(); err != nil {
		return Change{}, nil, nil, err
	}
	return p.last, p.changed, p.closing, nil
}

// change records that src saw the process stop or continue.
func (p *Process) change(src source, state State, signal int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.src == src && !p.dead && p.last.State != state {
		p.note(Change{State: state, Signal: signal})
	}
}

// note makes c the last change and wakes who waits for one. The lock is held.
func (p *Process) note(c Change) {
	c.Seq = p.last.Seq + 1
	p.last = c
	if p.changed != nil {
		close(p.changed)
		p.changed = nil
	}
}
