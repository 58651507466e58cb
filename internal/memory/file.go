package memory

import (
	"strings"

	"github.com/lmkd/lmkd/internal/sys"
)

// file is one kept descriptor with the path that errors name.
type file struct {
	fd   sys.FD
	name string
}

// below gives the path of name under root, which may be "/" or "".
func below(root, name string) string {
	return strings.TrimSuffix(root, "/") + "/" + name
}

// openFile opens root/name for reading.
func openFile(root, name string) (file, error) {
	path := below(root, name)
	fd, e := sys.OpenPath(path, sys.ReadOnly)
	if e != 0 {
		return file{name: path}, &sys.OpError{Doing: "open " + path, Errno: e}
	}
	return file{fd: fd, name: path}, nil
}

func (f *file) isOpen() bool { return f.fd.Open() }

func (f *file) close() { _ = f.fd.Close() }

// lines begins the file anew through buf.
func (f *file) lines(buf []byte) lines { return fileLines(f.fd.Int(), f.name, buf) }
