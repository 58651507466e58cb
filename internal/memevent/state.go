package memevent

import (
	"sync/atomic"
	"time"
)

// Kinds is a set of kernel events that can wake the daemon.
type Kinds uint32

// The kinds. KernelOOM always wakes, whatever was armed.
const (
	Kswapd        Kinds = 1 << iota // a kswapd began a round: some zone is below its low mark
	DirectReclaim                   // a task must free memory before it gets any
	Faults                          // tasks have faulted in as many pages as Arm allowed
	KernelOOM                       // the kernel's OOM killer marked a victim
)

// State is what the kernel does about memory at one instant. Times are
// CLOCK_MONOTONIC, as the kernel stamped them; 0 means never or none.
type State struct {
	KswapdAwake int           // nodes whose kswapd is awake
	KswapdSince time.Duration // when the first of them woke

	DirectReclaimers int           // tasks in direct reclaim, at most 256 or so
	OldestDirect     time.Duration // when the first of them began

	OOMKills   uint64        // victims that the OOM killer marked since Open
	LastOOM    time.Duration // when it marked the last one
	LastVictim int           // the last one's pid, 0 when it is not known

	Faulted uint64 // pages that page faults brought since Open, in steps
}

// Wake is why the descriptor became readable.
type Wake struct {
	Kinds Kinds
	At    time.Duration // the kernel's time of the first event, CLOCK_MONOTONIC
}

const (
	maxNodes = 1024 // MAX_NUMNODES of every architecture is at most that
	homes    = 256  // a task's slot is at its thread id modulo this, or after it
	window   = 8    // or up to this many places on
)

// shared is the memory that programs and daemon both see: the one value of an
// array map. Programs address its fields by their offsets. Each word is written
// whole; a counter only grows.
type shared struct {
	armed     uint32 // Kinds that may wake; a program clears it when it wakes
	nodes     uint32 // highest node with a kswapd seen, plus one
	notBefore uint64 // earliest time for a wake, ns
	wokeAt    [3]uint64
	faulted   uint64 // pages that page faults brought
	limit     uint64 // of faulted: from here on Faults wakes
	oomKills  uint64
	victimAt  uint64
	victim    uint64
	named     uint64 // the pid of the victim about to be marked, 0 when not told
	overflow  uint64 // direct reclaims that found no free slot
	kswapd    [maxNodes]uint64
	slots     [homes + window - 1]slot
}

// slot is one task in direct reclaim. It is free while since is 0; tid then
// says who had it last.
type slot struct{ tid, since uint64 }

// read sums up without a lock: each word is right, and they are at most some
// nanoseconds apart.
func (m *shared) read() State {
	st := State{
		OOMKills:   atomic.LoadUint64(&m.oomKills),
		LastOOM:    time.Duration(atomic.LoadUint64(&m.victimAt)),
		LastVictim: int(atomic.LoadUint64(&m.victim)),
		Faulted:    atomic.LoadUint64(&m.faulted),
	}
	for i := range min(atomic.LoadUint32(&m.nodes), maxNodes) {
		count(atomic.LoadUint64(&m.kswapd[i]), &st.KswapdAwake, &st.KswapdSince)
	}
	for i := range m.slots {
		count(atomic.LoadUint64(&m.slots[i].since), &st.DirectReclaimers, &st.OldestDirect)
	}
	return st
}

func count(since uint64, n *int, oldest *time.Duration) {
	if since == 0 {
		return
	}
	*n++
	if at := time.Duration(since); *oldest == 0 || at < *oldest {
		*oldest = at
	}
}

func (m *shared) overflowed() uint64 { return atomic.LoadUint64(&m.overflow) }

func (m *shared) arm(kinds Kinds, notBefore time.Duration, pages uint64) {
	for i := range m.wokeAt {
		atomic.StoreUint64(&m.wokeAt[i], 0)
	}
	atomic.StoreUint64(&m.limit, atomic.LoadUint64(&m.faulted)+pages)
	atomic.StoreUint64(&m.notBefore, uint64(max(notBefore, 0)))
	atomic.StoreUint32(&m.armed, uint32(kinds))
}

// woke takes what the programs noted when they woke us. seen is the number of
// OOM kills already told.
func (m *shared) woke(seen *uint64) Wake {
	var w Wake
	for i := range m.wokeAt {
		w.add(Kswapd<<i, atomic.SwapUint64(&m.wokeAt[i], 0))
	}
	if n := atomic.LoadUint64(&m.oomKills); n != *seen {
		*seen = n
		w.add(KernelOOM, atomic.LoadUint64(&m.victimAt))
	}
	return w
}

func (w *Wake) add(k Kinds, at uint64) {
	if at == 0 {
		return
	}
	w.Kinds |= k
	if t := time.Duration(at); w.At == 0 || t < w.At {
		w.At = t
	}
}

// sweep frees the slots of tasks that exist no more and gives their number. A
// task leaves direct reclaim before it can exit, so only a task that died of a
// kernel bug within it, or an event that the kernel dropped, leaves one behind.
func (m *shared) sweep(exists func(tid int) bool) int {
	freed := 0
	for i := range m.slots {
		s := &m.slots[i]
		since := atomic.LoadUint64(&s.since)
		if since == 0 || exists(int(atomic.LoadUint64(&s.tid))) {
			continue
		}
		if atomic.CompareAndSwapUint64(&s.since, since, 0) {
			freed++
		}
	}
	return freed
}
