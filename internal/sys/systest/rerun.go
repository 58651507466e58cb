package systest

import (
	"bytes"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// World is a change of surroundings for a rerun.
type World struct {
	Env []string
	Sys syscall.SysProcAttr
}

// WithoutRoot is the world of an ordinary user without capabilities.
func WithoutRoot() World {
	const nobody = 65534
	return World{Sys: syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}}
}

// InPidNamespace is a pid namespace of its own, with its /proc.
func InPidNamespace() World {
	return World{
		Env: []string{mountEnv + "=1"},
		Sys: syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS},
	}
}

// InNetNamespace is a network namespace of its own.
func InNetNamespace() World { return World{Sys: syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}} }

// InUserNamespace is a user namespace of its own, root in it.
func InUserNamespace() World {
	ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1}}
	return World{Sys: syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWUSER, UidMappings: ids, GidMappings: ids,
	}}
}

// Denied is a kernel without the named system calls ("pidfd_open").
func Denied(calls string) World { return World{Env: []string{denyEnv + "=" + calls}} }

// Rerun runs the calling test once more in another process and world, where
// the test sees Again report true. The outer run passes if the inner one does.
func Rerun(t *testing.T, w World) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(append([]string{rerunEnv + "=" + t.Name()}, w.Env...), os.Environ()...)
	cmd.SysProcAttr = &w.Sys
	out, err := cmd.CombinedOutput()
	t.Logf("inner run:\n%s", out)
	if err != nil {
		t.Errorf("inner run: %v", err)
	} else if !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
		t.Error("the inner run did not run the test")
	}
}

// Again reports whether this is the inner run of a Rerun of the test.
func Again(t *testing.T) bool { return os.Getenv(rerunEnv) == t.Name() }
