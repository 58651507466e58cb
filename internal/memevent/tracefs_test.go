package memevent

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/cilium/ebpf"

	"github.com/lmkd/lmkd/internal/sys"
)

// TestVictimFormat reads the captured layouts of every kernel that we claim.
func TestVictimFormat(t *testing.T) {
	files, err := filepath.Glob("testdata/format/[0-9]*")
	if err != nil || len(files) == 0 {
		t.Fatal("no captured formats", err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if f, err := parseField(text, "pid"); err != nil || f != (field{8, 4}) {
			t.Errorf("%s: pid = %+v, %v, want 4 bytes at 8", name, f, err)
		}
		if f, err := parseField(text, "common_pid"); err != nil || f != (field{4, 4}) {
			t.Errorf("%s: common_pid = %+v, %v, want 4 bytes at 4", name, f, err)
		}
	}
}

func TestParseFieldErrors(t *testing.T) {
	tests := []struct{ in, want string }{
		{"", "parse event format: no field pid"},
		{"\tfield:int common_pid;\toffset:4;\tsize:4;\n", "parse event format: no field pid"},
		{"\tfield:int pid;\tsize:4;\n", "parse event field pid: no offset:"},
		{"\tfield:int pid;\toffset:8;\tsize:4", "parse event field pid: no size:"},
		{"\tfield:int pid;\toffset:-8;\tsize:4;\n", "parse event field pid: offset:-8 is no offset"},
		{"\tfield:int pid;\toffset:8;\tsize:32768;\n", "parse event field pid: size:32768 is no offset"},
	}
	for _, tt := range tests {
		if _, err := parseField([]byte(tt.in), "pid"); err == nil || err.Error() != tt.want {
			t.Errorf("parseField(%q): %v, want %s", tt.in, err, tt.want)
		}
	}
}

func FuzzParseField(f *testing.F) {
	f.Add([]byte("format:\n\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n\tfield:int pid;\toffset:8;\tsize:4;\tsigned:1;\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		got, err := parseField(in, "pid")
		if err == nil && (got.offset < 0 || got.size < 0) {
			t.Errorf("parseField(%q) = %+v", in, got)
		}
	})
}

func TestVictimOffset(t *testing.T) {
	const mounts = "22 1 0:5 / /proc rw - proc proc rw\n" +
		"30 25 0:12 / /sys/kernel/tra\\040cing rw,relatime - tracefs tracefs rw\n"
	const pid = "\tfield:int pid;\toffset:12;\tsize:4;\tsigned:1;\n"
	const format = "sys/kernel/tra cing/events/oom/mark_victim/format"
	tests := []struct {
		name  string
		files map[string]string
		want  int16
		cure  string
	}{
		{"told", map[string]string{"proc/self/mountinfo": mounts, format: pid}, 12, ""},
		{"no proc", nil, 0, cureTracefs},
		{"not mounted", map[string]string{"proc/self/mountinfo": "22 1 0:5 / /proc rw - proc proc rw\n"}, 0, cureTracefs},
		{"a part of it mounted", map[string]string{"proc/self/mountinfo": "30 25 0:12 /events /t rw - tracefs tracefs rw\n"}, 0, cureTracefs},
		{"no such event", map[string]string{"proc/self/mountinfo": mounts}, 0, cureNoEvent},
		{"no pid", map[string]string{"proc/self/mountinfo": mounts, format: "x\n"}, 0, cureFormat},
		{"wide pid", map[string]string{"proc/self/mountinfo": mounts, format: "field:long pid;\toffset:8;\tsize:8;\n"}, 0, cureFormat},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := victimOffset(tree(t, tt.files))
			var e *Error
			if errors.As(err, &e); got != tt.want || (err == nil) != (tt.cure == "") || err != nil && e.Cure != tt.cure {
				t.Errorf("victimOffset = %d, %v, want %d and the cure %q", got, err, tt.want, tt.cure)
			}
		})
	}
}

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

func TestExplainKeepsTheErrnoOnly(t *testing.T) {
	err := explain("create BPF map", fmt.Errorf("creating map: %w (consider this)", sys.EPERM))
	if want := "create BPF map: operation not permitted: " + curePrivilege; err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestExplain(t *testing.T) {
	tests := []struct {
		err  error
		cure string
	}{
		{sys.EPERM, curePrivilege},
		{sys.EACCES, curePrivilege},
		{sys.ENOSYS, cureNoBPF},
		{sys.ENOENT, cureTracepoint},
		{fs.ErrNotExist, cureOther},
		{sys.ENOMEM, cureMemory},
		{sys.EINVAL, cureTooOld},
		{ebpf.ErrNotSupported, cureTooOld},
		{sys.EBADF, cureOther},
		{&ebpf.VerifierError{Cause: sys.EACCES, Log: []string{"R1 invalid mem access"}}, cureOther},
	}
	for _, tt := range tests {
		err := explain("create BPF ring buffer", tt.err)
		if want := "create BPF ring buffer: " + tt.err.Error() + ": " + tt.cure; err.Error() != want || !errors.Is(err, tt.err) {
			t.Errorf("explain(%v) = %v\nwant %s", tt.err, err, want)
		}
	}
}
