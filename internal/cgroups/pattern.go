package cgroups

import (
	"errors"
	"strings"

	"github.com/lmkd/lmkd/pkg/victim"
)

// Pattern names cgroups by their path below the root: /user.slice/user-*.slice.
// * stands for anything within one segment, ** for anything at all.
type Pattern struct {
	text     string
	glob     victim.Glob
	segments []string
}

// ParsePattern reads a pattern. The root itself is the machine, and none.
func ParsePattern(s string) (Pattern, error) {
	switch {
	case !strings.HasPrefix(s, "/"):
		return Pattern{}, errors.New("does not begin with /, the root of all cgroups")
	case s == "/":
		return Pattern{}, errors.New("is the root, which is the whole machine")
	case strings.HasSuffix(s, "/") || strings.Contains(s, "//"):
		return Pattern{}, errors.New("has an empty segment")
	}
	for _, segment := range strings.Split(s[1:], "/") {
		if segment == "." || segment == ".." {
			return Pattern{}, errors.New("goes to " + segment + ": write the path from the root")
		}
	}
	return Pattern{s, victim.Glob(s), strings.Split(s[1:], "/")}, nil
}

func (p Pattern) String() string { return p.text }

// IsGlob tells whether more than one cgroup can match.
func (p Pattern) IsGlob() bool { return strings.ContainsAny(p.text, "*?") }

// Match tells whether the pattern names the cgroup at path.
func (p Pattern) Match(path string) bool { return p.glob.Match([]byte(path)) }

// Leads tells whether a cgroup below path could match, so that path must be
// walked.
func (p Pattern) Leads(path string) bool {
	if path == "/" {
		return true
	}
	segments := strings.Split(path[1:], "/")
	for i, want := range p.segments {
		switch {
		case strings.Contains(want, "**"):
			return true
		case i == len(segments):
			return true
		case !victim.Glob(want).Match([]byte(segments[i])):
			return false
		}
	}
	return false
}
