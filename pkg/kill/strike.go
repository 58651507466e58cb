package kill

import (
	"path/filepath"

	cgroups "github.com/containerd/cgroups/v3"

	"github.com/lmkd/lmkd/internal/sys"
)

// Struck is a group whose every process has got SIGKILL.
type Struck struct {
	Method string // "cgroup.kill" or "one by one"
	Frozen bool   // one by one: the members were held still meanwhile
	Listed int    // processes, as far as they were listed
	// Large are those of at least the size that was asked for, largest first;
	// the caller closes each.
	Large []*Member
}

// FindGroup opens the cgroup that memory is charged to at path, as
// /proc/PID/cgroup tells it, on a machine with cgroup v2 alone. The root is
// EINVAL; with v1 it is EOPNOTSUPP, for its emptiness can not be waited for.
func FindGroup(path string) (*Group, error) {
	path = filepath.Clean("/" + path)
	if path == "/" {
		return nil, &opError{"open the root cgroup to kill it", sys.EINVAL}
	}
	if cgroups.Mode() != cgroups.Unified {
		return nil, &opError{"open cgroup " + path, sys.EOPNOTSUPP}
	}
	return OpenGroup(cgroupRoot + path)
}

// PIDs lists the processes of the group and of those below it.
func (g *Group) PIDs() ([]int, error) { return g.pids() }

// Strike sends SIGKILL to every process of the group and below it, by cgroup.kill
// or, before Linux 5.14, by freezing it and one by one, and does not wait: Fd and
// Populated tell of the end. There is no limit to how many they are.
func (g *Group) Strike(large uint64) (*Struck, error) {
	out := &Struck{Method: "cgroup.kill"}
	if pids, err := g.pids(); err == nil {
		out.Listed = len(pids)
	}
	// Who can not be opened, for want of descriptors, frees its memory itself.
	big, _ := g.open(nil, max(large, 1))
	s := g.KillAll()
	if s.Errno == sys.ENOENT {
		big.close()
		return out, g.strikeEach(out, large)
	}
	big.largestFirst()
	out.Large = big
	if s.Errno != 0 {
		return out, &opError{"write cgroup.kill of " + g.path, s.Errno}
	}
	return out, nil
}

// strikeEach is Strike without cgroup.kill.
func (g *Group) strikeEach(out *Struck, large uint64) error {
	first, err := g.open(nil, 0)
	if err != nil {
		return err
	}
	var how GroupOutcome
	all, err := g.killEach(&how, &burial{o: new(Options)}, first)
	out.Method, out.Frozen, out.Listed = how.Method, how.Frozen, len(all)
	all.largestFirst()
	for _, one := range all {
		if one.Resident >= large {
			out.Large = append(out.Large, one)
		} else {
			_ = one.fd.Close()
		}
	}
	return err
}
