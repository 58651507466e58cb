package relief

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// Note is the file on /run that names the cgroups that are frozen, a line each,
// for the daemon that comes after a crash. The workers share it; a nil one
// remembers nothing.
type Note struct {
	path   string
	mu     sync.Mutex
	frozen []string
}

// OpenNote makes the note at path, and thaws what an earlier daemon left frozen:
// it gives those. What can not be thawed stays in the note.
func OpenNote(path string) (n *Note, thawed []string, err error) {
	n = &Note{path: path}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, nil, err
	}
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, nil, err
	}
	for line := range strings.Lines(string(text)) {
		dir := strings.TrimSuffix(line, "\n")
		switch e := write(dir, "cgroup.freeze", "0"); {
		case e == 0:
			thawed = append(thawed, dir)
		case !gone(dir):
			n.frozen = append(n.frozen, dir)
		}
	}
	return n, thawed, n.save()
}

// add is called before a cgroup is frozen. A note that can not be written keeps
// nobody from freezing: that only the next daemon would miss it.
func (n *Note) add(dir string) {
	if n == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.frozen = append(n.frozen, dir)
	_ = n.save()
}

// remove is called after the thaw.
func (n *Note) remove(dir string) {
	if n == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.frozen = slices.DeleteFunc(n.frozen, func(s string) bool { return s == dir })
	_ = n.save()
}

// save replaces the file whole: a crash leaves the old one or the new one.
func (n *Note) save() error {
	if len(n.frozen) == 0 {
		if err := os.Remove(n.path); !errors.Is(err, os.ErrNotExist) {
			return err
		}
		return nil
	}
	temp := n.path + ".new"
	if err := os.WriteFile(temp, []byte(strings.Join(n.frozen, "\n")+"\n"), 0o600); err != nil {
		return err
	}
	return os.Rename(temp, n.path)
}
