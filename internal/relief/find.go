package relief

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/lmkd/lmkd/pkg/victim"
)

// mostCgroups is how many cgroups one act reaches: patterns may match thousands.
const mostCgroups = 256

// Root gives the directory where the cgroups of v2 are mounted, below the root
// of the file system; on a hybrid host they lie beside v1's. It is empty where
// there are none.
func Root(root string) string {
	for _, dir := range []string{"sys/fs/cgroup", "sys/fs/cgroup/unified"} {
		dir = filepath.Join(root, dir)
		if _, err := os.Stat(filepath.Join(dir, "cgroup.controllers")); err == nil {
			return dir
		}
	}
	return ""
}

// Find gives the directories of the cgroups below root that a pattern matches,
// parents before children, and 256 at most. A * in a pattern stands for anything
// but /, ** for anything.
func Find(root string, patterns []string) (found []string) {
	if root == "" {
		return nil
	}
	_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil || !d.IsDir(): // it may be gone by now
			return nil
		case len(found) == mostCgroups:
			return filepath.SkipAll
		}
		if name := strings.TrimPrefix(path, root); name != "" && matches(patterns, name) {
			found = append(found, path)
		}
		return nil
	})
	return found
}

func matches(patterns []string, name string) bool {
	for _, p := range patterns {
		if victim.Glob(p).Match([]byte(name)) {
			return true
		}
	}
	return false
}
