package relief

import (
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/lmkd/lmkd/internal/sys"
)

// freeze lets the cgroups stand still until the act is over.
func (w *Worker) freeze() (r Result) {
	var frozen []string
	for _, dir := range Find(w.tools.Cgroups, w.act.Cgroups) {
		if w.over() {
			break
		}
		switch e := w.still(dir); {
		case e == 0:
			frozen = append(frozen, dir)
		case e != sys.EBUSY && r.Errno == 0 && !gone(dir):
			r.Errno = e
		}
	}
	r.Cgroups = len(frozen)
	for len(frozen) > 0 && !w.over() {
		w.wait(w.left())
	}
	for i := len(frozen) - 1; i >= 0; i-- { // children first
		w.thaw(frozen[i])
	}
	return r
}

// still freezes one cgroup. EBUSY: somebody else has; EPERM: a process in it is
// protected. The guard is asked again after the freeze, for a process may have
// come meanwhile.
func (w *Worker) still(dir string) sys.Errno {
	if string(read(dir, "cgroup.freeze")) == "1" {
		return sys.EBUSY
	}
	if !w.harmless(dir) {
		return sys.EPERM
	}
	if w.tools.Dry {
		return 0
	}
	w.tools.Note.add(dir)
	if e := write(dir, "cgroup.freeze", "1"); e != 0 {
		w.tools.Note.remove(dir)
		return e
	}
	if !w.harmless(dir) {
		w.thaw(dir)
		return sys.EPERM
	}
	return 0
}

// harmless tells that nobody in the cgroup, or below it, is protected.
func (w *Worker) harmless(dir string) bool {
	why := ""
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return nil // it may be gone by now
		}
		if why = w.guarded(path); why != "" {
			return filepath.SkipAll
		}
		return nil
	})
	if why != "" {
		w.tools.Say("relief: %s is not frozen: %s", dir, why)
	}
	return why == ""
}

// guarded says who in one cgroup is protected. A list that can not be read, as
// that of a threaded cgroup, counts as such.
func (w *Worker) guarded(dir string) string {
	text, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	if err != nil && !gone(dir) {
		return err.Error()
	}
	for line := range strings.Lines(string(text)) {
		pid, err := strconv.ParseInt(strings.TrimSpace(line), 10, 32)
		if err != nil {
			return "cgroup.procs holds " + strconv.Quote(line)
		}
		if why := w.tools.Guard(int32(pid)); why != "" {
			return why
		}
	}
	return ""
}

func (w *Worker) thaw(dir string) {
	if w.tools.Dry {
		return
	}
	if e := write(dir, "cgroup.freeze", "0"); e != 0 && !gone(dir) {
		w.tools.Say("relief: thaw %s: %v", dir, e)
		return // the next daemon tries again
	}
	w.tools.Note.remove(dir)
}

// left is the time until the act is over.
func (w *Worker) left() time.Duration { return time.Duration(w.until.Load()) - sys.Now() }
