package sys

import (
	"strconv"

	"golang.org/x/sys/unix"
)

// Mapping is a piece of a file's memory shared with the kernel (mmap(2),
// MAP_SHARED). It has one owner, which closes it once nothing points into it.
type Mapping struct{ b []byte }

// MapShared maps size bytes of fd from offset off on, a multiple of the page
// size, for reading and, when asked, for writing.
func MapShared(fd int, off int64, size int, writable bool) (Mapping, error) {
	prot := unix.PROT_READ
	if writable {
		prot |= unix.PROT_WRITE
	}
	b, err := unix.Mmap(fd, off, size, prot, unix.MAP_SHARED)
	if err != nil {
		return Mapping{}, &OpError{"map " + strconv.Itoa(size) + " bytes shared with the kernel", errno(err)}
	}
	return Mapping{b}, nil
}

// Bytes gives the memory, borrowed until Close.
func (m *Mapping) Bytes() []byte { return m.b }

// Close takes the mapping away. Closing the zero Mapping does nothing.
func (m *Mapping) Close() error {
	b := m.b
	m.b = nil
	if b == nil {
		return nil
	}
	return Err(errno(unix.Munmap(b)))
}
