package kernel

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
)

// Release is one kernel on offer: the Debian release that has it.
type Release struct {
	Version string // "6.12"
	Suite   string // "trixie"
}

// Releases are the kernels on offer, the oldest first.
var Releases = []Release{
	{"5.10", "bullseye"},
	{"6.1", "bookworm"},
	{"6.12", "trixie"},
}

// Find gives the release of a kernel version or of a suite's name.
func Find(name string) (Release, error) {
	i := slices.IndexFunc(Releases, func(r Release) bool { return r.Version == name || r.Suite == name })
	if i >= 0 {
		return Releases[i], nil
	}
	var known []string
	for _, r := range Releases {
		known = append(known, r.Version)
	}
	return Release{}, fmt.Errorf("no kernel %q: there are %s", name, strings.Join(known, ", "))
}

// Arch is Debian's name of the host's architecture.
func Arch() string { return runtime.GOARCH }
