package exitwait

import "sync"

// waiters is the package's one waiting thread, for Wait and Done. It exists
// only while somebody waits.
var waiters hub

// hub is a Set with a goroutine that tells its members of their exit. Locks are
// taken in the order Process, hub, Set; run holds none when it settles.
type hub struct {
	mu  sync.Mutex
	set *Set
}

// add has the hub watch p, whose lock the caller holds.
func (h *hub) add(p *Process, fd int) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.set != nil {
		return h.set.add(p, fd)
	}
	set, err := NewSet()
	if err != nil {
		return err
	}
	if err := set.add(p, fd); err != nil {
		_ = set.Close()
		return err
	}
	h.set = set
	go h.run(set)
	return nil
}

// remove has the hub forget p, whose lock the caller holds.
func (h *hub) remove(p *Process) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.set == nil {
		return
	}
	h.set.Remove(p)
	if h.set.Len() == 0 {
		h.set.bell.Notify()
	}
}

func (h *hub) run(set *Set) {
	var batch [64]*Process
	for {
		n, err := set.wait(batch[:], h.idle)
		for i, p := range batch[:n] {
			p.settle()
			batch[i] = nil
		}
		if err != nil {
			panic("exitwait: " + err.Error()) // an epoll of our own cannot fail
		}
		if h.retire(set) {
			return
		}
	}
}

func (h *hub) idle() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.set.Len() == 0
}

// retire ends the goroutine when nobody waits any more.
func (h *hub) retire(set *Set) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if set.Len() > 0 {
		return false
	}
	h.set = nil
	_ = set.Close()
	return true
}
