package memevent

import (
	"errors"
	"sync/atomic"
	"unsafe"

	"github.com/lmkd/lmkd/internal/sys"
)

// ring is the bell: a BPF ring buffer of which only the two positions matter
// (Documentation/bpf/ringbuf.rst). It is readable while they differ.
type ring struct {
	consumer, producer sys.Mapping
}

// openRing maps the positions of the ring buffer behind fd: ours to write in
// the first page, the kernel's to read in the second.
func openRing(fd int) (ring, error) {
	page := int(sys.Pagesize())
	consumer, err := sys.MapShared(fd, 0, page, true)
	if err != nil {
		return ring{}, err
	}
	producer, err := sys.MapShared(fd, int64(page), page, false)
	if err != nil {
		return ring{}, errors.Join(err, consumer.Close())
	}
	return ring{consumer, producer}, nil
}

// clear takes the readiness back by consuming every record unread. The
// positions are unsigned longs, 8-byte aligned.
func (r *ring) clear() {
	at := atomic.LoadUintptr(position(&r.producer))
	atomic.StoreUintptr(position(&r.consumer), at)
}

func position(m *sys.Mapping) *uintptr { return (*uintptr)(unsafe.Pointer(&m.Bytes()[0])) }

func (r *ring) close() error {
	return errors.Join(r.consumer.Close(), r.producer.Close())
}
