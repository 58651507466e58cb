package psi

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lmkd/lmkd/internal/sys"
)

// TestRefusal is the table of what the kernel can answer.
func TestRefusal(t *testing.T) {
	const path = "/proc/pressure/memory"
	tests := []struct {
		do       doing
		errno    sys.Errno
		state    State
		sentinel error
		cure     string
	}{
		{opening, sys.EPERM, NeedsPrivilege, ErrPrivilege, "CAP_SYS_RESOURCE"},
		{opening, sys.EACCES, NeedsPrivilege, ErrPrivilege, "run as root"},
		{opening, sys.EROFS, Refuses, ErrRefused, "mounted read-only"},
		{opening, sys.EOPNOTSUPP, Off, ErrOff, "psi=1"},
		{reading, sys.EOPNOTSUPP, Off, ErrOff, "psi=1"},
		{arming, sys.EOPNOTSUPP, Off, ErrOff, "psi=1"},
		{arming, sys.EINVAL, Refuses, ErrRefused, "run on the host itself"},
	}
	for _, tt := range tests {
		err := refusal(tt.do, path, tt.errno)
		if stateOf(err) != tt.state || !errors.Is(err, tt.sentinel) || !errors.Is(err, tt.errno) ||
			!strings.Contains(err.Error(), tt.cure) || !strings.HasPrefix(err.Error(), tt.do.on(path)+": ") {
			t.Errorf("%s: %v: state %v, want %v, %v, and %q", tt.do.on(path), err, stateOf(err), tt.state, tt.sentinel, tt.cure)
		}
	}
	err := refusal(arming, path, sys.ENOMEM)
	if want := "arm pressure trigger on /proc/pressure/memory: cannot allocate memory"; err.Error() != want {
		t.Errorf("out of memory: %v, want %q", err, want)
	}
}

func TestErrorReadsAsASentence(t *testing.T) {
	err := newError(Limited, arming, "/proc/pressure/memory", sys.EINVAL)
	const want = "arm pressure trigger on /proc/pressure/memory: refuses triggers without more privilege (invalid argument): " +
		"give the process CAP_SYS_RESOURCE, or ask for windows in steps of 2 s, which speak later"
	if err.Error() != want {
		t.Errorf("got  %s\nwant %s", err, want)
	}
}

// tree writes files below a fresh directory.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func gzipped(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(text))
	_ = z.Close()
	return b.String()
}

func TestMissingMachineFile(t *testing.T) {
	config := "boot/config-" + sys.KernelRelease()
	tests := []struct {
		name  string
		files map[string]string
		state State
		cure  string
	}{
		{"no configuration to be seen", nil, Absent, cures[Absent]},
		{"built in, switched off", map[string]string{config: "CONFIG_PSI=y\nCONFIG_PSI_DEFAULT_DISABLED=y\n"}, Off, cures[Off]},
		{"not built", map[string]string{config: "# CONFIG_PSI is not set\n"}, Absent, cureNoConfig},
		{"built in, says /proc", map[string]string{"proc/config.gz": gzipped("CONFIG_PSI=y\n")}, Off, cures[Off]},
		{"not built, says /proc", map[string]string{"proc/config.gz": gzipped("CONFIG_X=y\n")}, Absent, cureNoConfig},
		{"broken archive", map[string]string{"proc/config.gz": "\x1f\x8b"}, Absent, cures[Absent]},
		{"cut archive", map[string]string{"proc/config.gz": gzipped("CONFIG_X=y\n")[:14]}, Absent, cures[Absent]},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := MemoryFile(tree(t, tt.files))
			expectMissing(t, path, tt.state, tt.cure)
		})
	}
}

func TestMissingCgroupFile(t *testing.T) {
	tests := []struct {
		name  string
		files map[string]string
		state State
		cure  string
	}{
		{"no such cgroup", nil, Absent, cureNoCgroup},
		{"version 1", map[string]string{"c/tasks": ""}, Absent, cureNotVersion},
		{"switched off", map[string]string{"c/cgroup.controllers": "", "c/cgroup.pressure": "0\n"}, Off, cureCgroupOff},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := CgroupFile(filepath.Join(tree(t, tt.files), "c"))
			expectMissing(t, path, tt.state, tt.cure)
		})
	}
}

func expectMissing(t *testing.T, path string, state State, cure string) {
	t.Helper()
	got, err := Probe(path)
	var e *Error
	if !errors.As(err, &e) || got != state || e.State != state || e.Cure != cure || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Probe = %v, %v\nwant %v and the cure %q", got, err, state, cure)
	}
	if _, err := Arm(path, Threshold{Some, MinWindow, FreeWindow}); stateOf(err) != state {
		t.Errorf("Arm: %v, want state %v as Probe has it", err, state)
	}
}
