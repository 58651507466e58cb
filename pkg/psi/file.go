package psi

import (
	"path/filepath"

	"github.com/lmkd/lmkd/internal/sys"
)

// MemoryFile gives the path of the machine's memory pressure below root, the
// root of a file system: "/proc/pressure/memory" for "/" and "".
func MemoryFile(root string) string {
	return filepath.Join("/", root, "proc/pressure/memory")
}

// CgroupFile gives the path of the memory pressure of the cgroup at dir.
func CgroupFile(dir string) string { return filepath.Join(dir, "memory.pressure") }

// File is a pressure file that is kept open and read again and again. It has
// one owner, which closes it; it is not safe for concurrent use.
type File struct {
	fd   sys.FD
	path string
}

// Open opens the pressure file at path for reading. A file that is not there,
// or belongs to a machine with pressure switched off, gives an *Error.
func Open(path string) (*File, error) {
	fd, e := sys.OpenPath(path, sys.ReadOnly)
	if e != 0 {
		return nil, refusal(opening, path, e)
	}
	return &File{fd: fd, path: path}, nil
}

// Read reads the file anew into buf, which wants BufferSize bytes, without
// allocating. An *Error with State Off or Absent says that pressure is switched
// off or that the cgroup is gone.
func (f *File) Read(buf []byte) (Pressure, error) {
	n, e := sys.ReadFull(f.fd.Int(), buf)
	if e != 0 {
		return Pressure{}, refusal(reading, f.path, e)
	}
	return Parse(buf[:n])
}

// Close gives the descriptor back.
func (f *File) Close() error { return f.fd.Close() }
