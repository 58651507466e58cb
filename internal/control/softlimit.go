package control

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// SoftLimits writes memory.soft_limit_in_bytes of cgroup v1, beyond which the
// kernel takes from a cgroup first when memory is short
// (Documentation/admin-guide/cgroup-v1/memory.rst, section 7). On cgroup v2 there
// is no such thing: memory.high throttles with memory to spare too, and what
// memory.low protects is bounded by what its parents protect.
type SoftLimits struct {
	proc string // /proc
	root string // of the memory controller's hierarchy
}

// ErrNoSoftLimits: the memory controller is not on cgroup v1.
var ErrNoSoftLimits = errors.New("the memory controller is not on cgroup v1, and elsewhere a cgroup has no soft limit")

// FindSoftLimits looks in the mount table below root; ErrNoSoftLimits when there is
// no memory controller of cgroup v1.
func FindSoftLimits(root string) (*SoftLimits, error) {
	mounts, err := os.ReadFile(filepath.Join(root, "proc/self/mounts"))
	if err != nil {
		return nil, fmt.Errorf("look for cgroup v1: %w", err)
	}
	for line := range strings.Lines(string(mounts)) {
		f := strings.Fields(line)
		if len(f) > 3 && f[2] == "cgroup" && strings.Contains(","+f[3]+",", ",memory,") {
			return &SoftLimits{filepath.Join(root, "proc"), filepath.Join(root, f[1])}, nil
		}
	}
	return nil, ErrNoSoftLimits
}

// softBands are Android's limits by the lower ends of oom_score_adj, in units of
// 8 MiB.
var softBands = [...]struct {
	from  int32
	units uint64
}{{700, 0}, {600, 1}, {400, 0}, {300, 1}, {200, 8}, {100, 10}, {0, 20}, {-1000, 64}}

// softLimit gives the limit of an app in bytes.
func softLimit(adj int32) uint64 {
	for _, b := range softBands {
		if adj >= b.from {
			return b.units * (8 << 20)
		}
	}
	return 0
}

// set limits the cgroup of pid. The root is everybody's and is left alone.
func (s *SoftLimits) set(pid, adj int32) error {
	text, err := os.ReadFile(filepath.Join(s.proc, strconv.Itoa(int(pid)), "cgroup"))
	if err != nil {
		return fmt.Errorf("soft limit: %w", err)
	}
	path := memoryPath(text)
	if path == "/" {
		return nil
	}
	file := filepath.Join(s.root, path, "memory.soft_limit_in_bytes")
	if err := os.WriteFile(file, strconv.AppendUint(nil, softLimit(adj), 10), 0); err != nil {
		return fmt.Errorf("soft limit: %w", err)
	}
	return nil
}

// memoryPath takes the path of the memory controller out of /proc/PID/cgroup: lines
// "4:memory:/apps/uid_10036", of which the controllers may be several; "/" without
// such a line.
func memoryPath(text []byte) string {
	for line := range bytes.Lines(text) {
		f := bytes.SplitN(bytes.TrimSuffix(line, []byte("\n")), []byte(":"), 3)
		if len(f) == 3 && bytes.Contains([]byte(","+string(f[1])+","), []byte(",memory,")) {
			return string(f[2])
		}
	}
	return "/"
}
