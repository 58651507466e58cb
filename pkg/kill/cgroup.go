package kill

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	cgroups "github.com/containerd/cgroups/v3"

	"github.com/lmkd/lmkd/internal/sys"
)

// places are the cgroup directories of one process, "" where it has none of its
// own: in the root of a hierarchy, or without the hierarchy.
type places struct {
	unified string // v2: every controller that is not on v1
	memory  string // where its memory is charged
	cpu     string
	freezer string // v1's
	// v1Freezer is the root of v1's freezer hierarchy.
	v1Freezer string
}

const cgroupRoot = "/sys/fs/cgroup"

// findPlaces reads /proc/PID/cgroup through dir and finds the directories below
// the usual mount points (cgroups(7)).
func findPlaces(dir int) (places, sys.Errno) {
	var buf [4096]byte
	text, e := readAt(dir, "cgroup", buf[:])
	if e != 0 {
		return places{}, e
	}
	v1, v2, err := cgroups.ParseCgroupFromReaderUnified(bytes.NewReader(text))
	if err != nil {
		return places{}, sys.EINVAL
	}
	return arrange(v1, v2, cgroups.Mode()), 0
}

// arrange turns the paths of a process into directories.
func arrange(v1 map[string]string, v2 string, mode cgroups.CGMode) places {
	own := func(controller string) string {
		path := v1[controller]
		if path == "" || path == "/" {
			return ""
		}
		return filepath.Join(cgroupRoot, controller, path)
	}
	p := places{memory: own("memory"), cpu: own("cpu"), freezer: own("freezer")}
	if _, ok := v1["freezer"]; ok {
		p.v1Freezer = filepath.Join(cgroupRoot, "freezer")
	}
	if v2 != "" && v2 != "/" {
		switch mode {
		case cgroups.Unified:
			p.unified = filepath.Join(cgroupRoot, v2)
		case cgroups.Hybrid:
			p.unified = filepath.Join(cgroupRoot, "unified", v2)
		}
	}
	if _, ok := v1["memory"]; !ok {
		p.memory = p.unified
	}
	if _, ok := v1["cpu"]; !ok {
		p.cpu = p.unified
	}
	return p
}

// charge gives the memory charged to a cgroup and those below it: memory.current
// on v2, memory.usage_in_bytes on v1.
func charge(dir string) (uint64, bool) {
	for _, file := range []string{"memory.current", "memory.usage_in_bytes"} {
		if n, ok := readNumber(filepath.Join(dir, file)); ok {
			return n, true
		}
	}
	return 0, false
}

func readNumber(path string) (uint64, bool) {
	text, e := readFile(path)
	if e != 0 {
		return 0, false
	}
	n, err := strconv.ParseUint(text, 10, 64)
	return n, err == nil
}

// readFile reads a small file of a cgroup, without the space around it.
func readFile(path string) (string, sys.Errno) {
	var buf [4096]byte
	text, e := sys.ReadFileAt(sys.CWD, append([]byte(path), 0), buf[:])
	return string(bytes.TrimSpace(text)), e
}

// writeFile writes a small file of a cgroup in one call.
func writeFile(path, value string) sys.Errno {
	fd, e := sys.OpenPath(path, sys.WriteOnly)
	if e != 0 {
		return e
	}
	_, e = sys.Write(fd.Int(), []byte(value))
	_ = fd.Close()
	return e
}

// lonely reports whether pid is the only process of a cgroup that has none
// below it: then its charge is the process's own.
func lonely(dir string, pid int) bool {
	text, e := readFile(filepath.Join(dir, "cgroup.procs"))
	if e != 0 || text != strconv.Itoa(pid) {
		return false
	}
	return len(below(dir)) == 0
}

// below lists the cgroups directly below dir.
func below(dir string) []string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var dirs []string
	for _, entry := range entries {
		if entry.IsDir() && !strings.HasPrefix(entry.Name(), ".") {
			dirs = append(dirs, filepath.Join(dir, entry.Name()))
		}
	}
	return dirs
}
