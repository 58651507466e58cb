package sys

import "golang.org/x/sys/unix"

// MapPages maps size bytes of private anonymous memory, zeroed and not yet
// backed by any page. The Go runtime knows nothing of it: it is neither
// scanned nor given back before UnmapPages.
func MapPages(size int) ([]byte, error) {
	b, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	if err != nil {
		return nil, &OpError{"map anonymous memory", errno(err)}
	}
	return b, nil
}

// UnmapPages gives a mapping of MapPages back.
func UnmapPages(b []byte) error {
	if err := unix.Munmap(b); err != nil {
		return &OpError{"unmap memory", errno(err)}
	}
	return nil
}

// AdviseRandom tells the kernel that b is read here and there: no read-ahead.
func AdviseRandom(b []byte) Errno { return errno(unix.Madvise(b, unix.MADV_RANDOM)) }

// ProtectRead makes the pages of b read-only, which also splits the mapping
// that they lie in.
func ProtectRead(b []byte) Errno { return errno(unix.Mprotect(b, unix.PROT_READ)) }
