package cgroups

import (
	"errors"
	"io/fs"
	"os"
	"strings"

	"github.com/lmkd/lmkd/internal/sys"
)

// Finder keeps up with the cgroups that patterns name. It watches the
// directories that lead to them, and no others.
type Finder struct {
	root     string
	patterns []Pattern
	inotify  *sys.Inotify
	watches  map[int]string         // the path of each watch
	watched  map[string]int         // and back
	found    map[string]os.FileInfo // the matching cgroups that are there: which of that name
	events   func(Event)            // of the call under way
}

// Event is a cgroup that came, or went.
type Event struct {
	Path    string // below the root: /user.slice
	Pattern int    // the first that matches
	Gone    bool
}

// NewFinder makes a Finder of the hierarchy at root that has looked nowhere yet.
func NewFinder(root string, patterns []Pattern) (*Finder, error) {
	n, err := sys.NewInotify()
	if err != nil {
		return nil, err
	}
	return &Finder{
		root: root, patterns: patterns, inotify: n,
		watches: map[int]string{}, watched: map[string]int{}, found: map[string]os.FileInfo{},
	}, nil
}

// Fd gives the descriptor to watch: readable while Changes has something to do.
func (f *Finder) Fd() int { return f.inotify.Fd() }

// Close gives all watches back.
func (f *Finder) Close() { _ = f.inotify.Close() }

// Scan looks at everything: what is new comes as an event, and what is gone.
// The error is that of the root, or that the kernel gives no more watches.
func (f *Finder) Scan(each func(Event)) error {
	f.events = each
	for path := range f.found {
		if !f.same(path) {
			f.lost(path)
		}
	}
	for path, watch := range f.watched {
		if path != "/" && !f.exists(path) {
			f.forget(path, watch)
		}
	}
	return f.walk("/")
}

func (f *Finder) exists(path string) bool { return f.look(path) != nil }

// look gives what stands at path, nil when there is no directory.
func (f *Finder) look(path string) os.FileInfo {
	info, err := os.Stat(f.root + path)
	if err != nil || !info.IsDir() {
		return nil
	}
	return info
}

// same tells whether the cgroup that was found at path is there still, and not
// another one of that name: cgroupfs gives no inode number twice.
func (f *Finder) same(path string) bool {
	now := f.look(path)
	return now != nil && os.SameFile(now, f.found[path])
}

// Changes takes what inotify has to tell. When the kernel dropped some of it,
// everything is looked at.
func (f *Finder) Changes(each func(Event)) error {
	f.events = each
	var missed bool
	var first error
	e := f.inotify.Changes(func(c sys.Change) {
		switch {
		case c.What&sys.Missed != 0:
			missed = true
		case c.What&sys.Unwatched != 0:
			f.unwatched(c.Watch)
		default:
			if err := f.changed(c); err != nil && first == nil {
				first = err
			}
		}
	})
	if missed || e != 0 {
		return f.Scan(each)
	}
	return first
}

// changed takes a change of one entry of a watched directory. What the event
// says may be old: the directory tells what is.
func (f *Finder) changed(c sys.Change) error {
	parent, ok := f.watches[c.Watch]
	if !ok || c.Name == "" {
		return nil
	}
	path := strings.TrimSuffix(parent, "/") + "/" + c.Name
	if c.What&sys.Removed != 0 {
		f.removed(path)
	}
	if c.What&sys.Made == 0 && !f.exists(path) {
		return nil
	}
	return f.visit(path)
}

// removed drops what is not there any more of a directory and all below it. A
// cgroup that was made anew under the same name is another one; news of the end of
// the one before may come late.
func (f *Finder) removed(path string) {
	for known := range f.found {
		if (known == path || strings.HasPrefix(known, path+"/")) && !f.same(known) {
			f.lost(known)
		}
	}
	for known, watch := range f.watched {
		if (known == path || strings.HasPrefix(known, path+"/")) && !f.exists(known) {
			f.forget(known, watch)
		}
	}
}

func (f *Finder) lost(path string) {
	delete(f.found, path)
	f.events(Event{Path: path, Pattern: f.first(path), Gone: true})
}

func (f *Finder) forget(path string, watch int) {
	f.inotify.Unwatch(watch)
	f.unwatched(watch)
	delete(f.watched, path)
}

// unwatched forgets a watch that the kernel dropped, unless its path has
// another by now.
func (f *Finder) unwatched(watch int) {
	if path, ok := f.watches[watch]; ok && f.watched[path] == watch {
		delete(f.watched, path)
	}
	delete(f.watches, watch)
}

// first gives the first pattern that names a cgroup, -1 when none does.
func (f *Finder) first(path string) int {
	for i := range f.patterns {
		if f.patterns[i].Match(path) {
			return i
		}
	}
	return -1
}

// visit looks at one directory, and below it where a match could be.
func (f *Finder) visit(path string) error {
	if i := f.first(path); i >= 0 && f.found[path] == nil {
		if now := f.look(path); now != nil {
			f.found[path] = now
			f.events(Event{Path: path, Pattern: i})
		}
	}
	for i := range f.patterns {
		if f.patterns[i].Leads(path) {
			return f.walk(path)
		}
	}
	return nil
}

// walk watches a directory and then visits what is in it: what is made between
// the two is told by the watch. One that is gone by now is as if it had never
// been.
func (f *Finder) walk(path string) error {
	watch, e := f.inotify.WatchDir(f.root + path)
	switch e {
	case 0:
	case sys.ENOENT, sys.ENOTDIR:
		return nil
	default:
		return &sys.OpError{Doing: "watch for cgroups in " + f.root + path, Errno: e}
	}
	f.watches[watch], f.watched[path] = path, watch
	entries, err := os.ReadDir(f.root + path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && path == "/" {
		return err
	}
	for _, entry := range entries {
		if !entry.IsDir() {
			continue
		}
		if err := f.visit(strings.TrimSuffix(path, "/") + "/" + entry.Name()); err != nil {
			return err
		}
	}
	return nil
}

// Recheck looks again at a cgroup that has turned out to be gone: another one may
// have its name by now.
func (f *Finder) Recheck(path string, each func(Event)) error {
	f.events = each
	f.removed(path)
	if !f.exists(path) {
		return nil
	}
	return f.visit(path)
}

// Find gives the cgroups that each pattern is the first to name, as they are now.
func Find(root string, patterns []Pattern) ([][]string, error) {
	f, err := NewFinder(root, patterns)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	out := make([][]string, len(patterns))
	err = f.Scan(func(e Event) { out[e.Pattern] = append(out[e.Pattern], e.Path) })
	return out, err
}
