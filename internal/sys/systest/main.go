package systest

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
)

// The environment by which a test binary learns its part.
const (
	roleEnv  = "SYSTEST_ROLE"
	denyEnv  = "SYSTEST_DENY"
	rerunEnv = "SYSTEST_RERUN"
	mountEnv = "SYSTEST_MOUNT_PROC"
)

// The main goroutine keeps the leader thread, which some parts let die, and
// whose life their children's depends on.
func init() {
	if os.Getenv(roleEnv) != "" {
		runtime.LockOSThread()
	}
}

// Main is the body of a TestMain: it plays the part that this process was
// started for, or runs the tests.
func Main(m *testing.M) {
	if err := prepare(); err != nil {
		fmt.Fprintln(os.Stderr, "systest:", err)
		os.Exit(125)
	}
	switch role := os.Getenv(roleEnv); role {
	case "":
		os.Exit(m.Run())
	case "nursery":
		nursery()
	case "program":
		program()
	default:
		fmt.Fprintln(os.Stderr, "systest: no such part:", role)
		os.Exit(125)
	}
}

// prepare takes away what this run is to do without.
func prepare() error {
	if os.Getenv(mountEnv) != "" {
		if err := mountProc(); err != nil {
			return fmt.Errorf("mount /proc: %w", err)
		}
	}
	if names := os.Getenv(denyEnv); names != "" {
		return denyCalls(strings.Split(names, ","))
	}
	return nil
}
