package guest

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

const cgroupRoot = "/sys/fs/cgroup"

// Cgroup makes the version 2 group name below the root, writes its settings
// (file to value, "memory.max" to "64M"), moves the process pid there unless
// it is 0, and gives the group's directory.
func Cgroup(name string, pid int, settings map[string]string) (string, error) {
	dir := filepath.Join(cgroupRoot, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	for file, value := range settings {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(value), 0); err != nil {
			return "", fmt.Errorf("set %s of cgroup %s: %w", file, name, err)
		}
	}
	if pid == 0 {
		return dir, nil
	}
	return dir, os.WriteFile(filepath.Join(dir, "cgroup.procs"), strconv.AppendInt(nil, int64(pid), 10), 0)
}
