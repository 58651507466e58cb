package taskwatch

import (
	"context"
	"errors"
	"sync"
)

// ErrClosed means that the Watcher was closed, before or during a Read.
var ErrClosed = errors.New("watcher is closed")

// Config says what a Watcher wants.
type Config struct {
	// Kinds are the kinds of events; 0 means All but Free.
	Kinds Kind

	// Queue is how many events wait for a Read before they are dropped; 0
	// means 4096.
	Queue int

	// SocketBuffer is how many bytes of events wait in the kernel; 0 means
	// 4 MiB. The largest that a watcher of the program asks for is taken. An
	// event takes some 800 bytes there.
	SocketBuffer int
}

const (
	defaultQueue  = 4096
	defaultBuffer = 4 << 20
)

// Watcher is one reader of the program's subscription.
type Watcher struct {
	kinds Kind

	mu      sync.Mutex
	ring    []Event
	first   int // the oldest event
	n       int // how many there are
	dropped uint64
	wake    chan struct{} // holds a token when there may be something to read
	closed  chan struct{}
}

// Watch begins to watch. What the kernel refuses is said with its cause:
// errors.Is EPERM without CAP_NET_ADMIN on kernels before 6.6, and outside the
// initial pid or user namespace; ECONNREFUSED outside the initial network
// namespace; ENODEV and EPROTONOSUPPORT on kernels without process events;
// errors.ErrUnsupported for Free before 6.9.
func Watch(c Config) (*Watcher, error) {
	if c.Kinds == 0 {
		c.Kinds = All &^ Free
	}
	if c.Queue <= 0 {
		c.Queue = defaultQueue
	}
	if c.SocketBuffer <= 0 {
		c.SocketBuffer = defaultBuffer
	}
	w := &Watcher{
		kinds:  c.Kinds | Lost,
		ring:   make([]Event, c.Queue),
		wake:   make(chan struct{}, 1),
		closed: make(chan struct{}),
	}
	if err := shared.add(w, c.SocketBuffer); err != nil {
		return nil, err
	}
	return w, nil
}

// push queues ev; without room it is dropped and counted.
func (w *Watcher) push(ev *Event) {
	if ev.Kind&w.kinds == 0 {
		return
	}
	w.mu.Lock()
	if w.dropped > 0 && w.n+1 < len(w.ring) {
		w.append(&Event{Kind: Lost, Time: ev.Time, Count: w.dropped})
		w.dropped = 0
	}
	if w.dropped > 0 || w.n == len(w.ring) {
		w.dropped++
	} else {
		w.append(ev)
	}
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *Watcher) append(ev *Event) {
	w.ring[(w.first+w.n)%len(w.ring)] = *ev
	w.n++
}

// Read waits for events and gives as many as there are room for in out, the
// oldest first: how many, or the cause of ctx, or ErrClosed. It does not
// allocate. Lost events are followed by those after the loss.
func (w *Watcher) Read(ctx context.Context, out []Event) (int, error) {
	for {
		if n := w.take(out); n > 0 {
			return n, nil
		}
		select {
		case <-w.wake:
		case <-w.closed:
			return 0, ErrClosed
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}

func (w *Watcher) take(out []Event) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := min(w.n, len(out))
	for i := range n {
		out[i] = w.ring[(w.first+i)%len(w.ring)]
	}
	w.first, w.n = (w.first+n)%len(w.ring), w.n-n
	if n == 0 && w.dropped > 0 && len(out) > 0 {
		out[0] = Event{Kind: Lost, Count: w.dropped}
		w.dropped, n = 0, 1
	}
	return n
}

// Close ends the watching. The last watcher's Close leaves the kernel's group,
// so that forks cost what they did.
func (w *Watcher) Close() error {
	shared.remove(w)
	return nil
}
