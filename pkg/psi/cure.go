package psi

import (
	"bufio"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/lmkd/lmkd/internal/sys"
)

// The cures, one sentence for each state that has one cause.
var cures = [...]string{
	Works:          "nothing to cure",
	Limited:        "give the process CAP_SYS_RESOURCE, or ask for windows in steps of 2 s, which speak later",
	NeedsPrivilege: "give the process CAP_SYS_RESOURCE (from Linux 6.4 on, windows in steps of 2 s do without)",
	Refuses:        "the kernel refuses a valid trigger, as sandboxes and container runtimes that filter /proc do: run on the host itself or in a full virtual machine",
	Off:            "boot with psi=1 on the kernel command line",
	Absent:         "boot with psi=1; if the file is still missing, the kernel was built without CONFIG_PSI",
}

// The cures of causes that share a state with others.
const (
	cureOwner      = "run as root, or as the user who owns the cgroup"
	cureReadOnly   = "the file system is mounted read-only, as in containers: mount it read-write or run on the host"
	cureNoConfig   = "use a kernel built with CONFIG_PSI=y (Linux 4.20 or newer)"
	cureNoCgroup   = "name a cgroup that exists, on a cgroup v2 hierarchy"
	cureCgroupOff  = "write 1 to the cgroup's cgroup.pressure"
	cureNotVersion = "only cgroup v2 has pressure files: boot with systemd.unified_cgroup_hierarchy=1, or watch the whole machine"
)

// whyMissing tells the reasons apart for which a pressure file is not there.
// Newer kernels with pressure switched off have no /proc/pressure at all
// (psi_proc_init), so that only their configuration tells Off from Absent.
func whyMissing(path string) (State, string) {
	if filepath.Base(path) == "memory.pressure" {
		return whyCgroupMissing(filepath.Dir(path))
	}
	root, below := strings.CutSuffix(filepath.Dir(path), "proc/pressure")
	if !below {
		root = "/"
	}
	return whyMachineMissing(root, sys.KernelRelease())
}

func whyCgroupMissing(dir string) (State, string) {
	if _, err := os.Stat(dir); err != nil {
		return Absent, cureNoCgroup
	}
	if on, err := os.ReadFile(filepath.Join(dir, "cgroup.pressure")); err == nil && strings.TrimSpace(string(on)) == "0" {
		return Off, cureCgroupOff
	}
	if _, err := os.Stat(filepath.Join(dir, "cgroup.controllers")); err != nil {
		return Absent, cureNotVersion
	}
	return whyMachineMissing("/", sys.KernelRelease())
}

func whyMachineMissing(root, release string) (State, string) {
	switch has, known := configHasPSI(root, release); {
	case !known:
		return Absent, cures[Absent]
	case has:
		return Off, cures[Off]
	}
	return Absent, cureNoConfig
}

// configHasPSI looks for CONFIG_PSI=y in the configuration of the running
// kernel, in /boot or /proc; known is false when neither has one.
func configHasPSI(root, release string) (has, known bool) {
	if f, err := os.Open(filepath.Join(root, "boot/config-"+release)); err == nil {
		defer f.Close()
		return hasLine(f, "CONFIG_PSI=y")
	}
	f, err := os.Open(filepath.Join(root, "proc/config.gz"))
	if err != nil {
		return false, false
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return false, false
	}
	return hasLine(z, "CONFIG_PSI=y")
}

func hasLine(r io.Reader, want string) (has, known bool) {
	s := bufio.NewScanner(r)
	for s.Scan() {
		if s.Text() == want {
			return true, true
		}
	}
	return false, s.Err() == nil
}
