package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/lmkd/lmkd/test/vm/wire"
)

// profiles are the flags of a test binary that name a file to write, which
// must come back from the guest to its place on the host.
var profiles = []string{"coverprofile", "cpuprofile", "memprofile", "blockprofile", "mutexprofile", "trace"}

// profileDir holds them below the result files.
const profileDir = "go-test"

// returning is a result file with a place of its own on the host.
type returning struct{ name, place string }

// guestArgs gives the program's arguments as they are right in the guest.
// The test log is dropped: it serves go test's cache, and what a machine
// answered is not to be cached.
func (o *options) guestArgs() []string {
	var args []string
	for _, a := range o.args {
		if strings.HasPrefix(a, "-test.testlogfile=") {
			continue
		}
		if strings.HasPrefix(a, "-test.gocoverdir=") {
			a = "-test.gocoverdir=" + wire.TempDir
		}
		args = append(args, o.redirect(a))
	}
	return args
}

func (o *options) redirect(arg string) string {
	for _, p := range profiles {
		place, ok := strings.CutPrefix(arg, "-test."+p+"=")
		if ok && place != "" {
			name := filepath.Join(profileDir, p)
			o.home = append(o.home, returning{name, place})
			return "-test." + p + "=" + filepath.Join(wire.OutDir, name)
		}
	}
	return arg
}

// guestEnv is all the environment that the program gets: a home, and the
// variables that are meant for this project.
func (o *options) guestEnv() []string {
	env := []string{
		"PATH=/vm/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=/root",
		"TMPDIR=" + wire.TempDir,
		fmt.Sprintf("VM_KERNEL=%s", o.kernel),
		fmt.Sprintf("VM_ZRAM=%d", o.zram),
	}
	for _, kv := range os.Environ() {
		if strings.HasPrefix(kv, "LMKD_") || strings.HasPrefix(kv, "GOTRACEBACK=") {
			env = append(env, kv)
		}
	}
	return append(env, o.env...)
}

// bringHome moves profiles from the result files to where go test wants them.
func (o *options) bringHome(out string) error {
	for _, r := range o.home {
		b, err := os.ReadFile(filepath.Join(out, r.name))
		if err != nil {
			continue // the job ended before it wrote one; its end says why
		}
		if err := os.WriteFile(r.place, b, 0o644); err != nil {
			return err
		}
	}
	return nil
}
