package cgroups

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"strings"
)

// ErrNone: no cgroup here has memory files of cgroup v2. On a v1 or hybrid host
// the memory controller belongs to v1, whose cgroups know no pressure.
var ErrNone = errors.New("memory is no controller of cgroup v2 here (v1 or hybrid host): cgroups cannot be watched as domains; boot with systemd.unified_cgroup_hierarchy=1 or cgroup_no_v1=memory")

// Root gives the directory where cgroup v2 is mounted; ErrNone when its memory
// controller is not to be had.
func Root() (string, error) {
	text, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) < 3 || f[2] != "cgroup2" {
			continue
		}
		dir := octal.Replace(f[1])
		controllers, err := os.ReadFile(dir + "/cgroup.controllers")
		if err == nil && slices.ContainsFunc(bytes.Fields(controllers), func(c []byte) bool { return string(c) == "memory" }) {
			return dir, nil
		}
	}
	return "", ErrNone
}

// octal undoes what the kernel escapes in a path of /proc/self/mounts.
var octal = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
