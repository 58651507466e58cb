// Command capture copies the files that package memory reads from this machine
// into a directory, with a SOURCE file that says where they come from. The
// directory is a root for memory.Open:
//
//	go run ./internal/memory/capture DIR "what machine, in which state"
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// The files, as globs: what a kernel lacks is left out.
var globs = []string{
	"/proc/meminfo", "/proc/vmstat", "/proc/zoneinfo", "/proc/swaps",
	"/proc/pressure/memory", "/proc/pressure/io", "/proc/pressure/cpu",
	"/proc/spl/kstat/zfs/arcstats", "/sys/block/zram*/mm_stat",
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: capture DIR MACHINE")
		os.Exit(2)
	}
	if err := capture(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "capture:", err)
		os.Exit(1)
	}
}

func capture(dir, machine string) error {
	for _, glob := range globs {
		paths, err := filepath.Glob(glob)
		if err != nil {
			return err
		}
		for _, path := range paths {
			if err := copyFile(dir, path); err != nil {
				return err
			}
		}
	}
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return err
	}
	source := fmt.Sprintf("captured on Linux %s, %s; go run ./internal/memory/capture DIR MACHINE\n",
		strings.TrimSpace(string(release)), machine)
	return os.WriteFile(filepath.Join(dir, "SOURCE"), []byte(source), 0o644)
}

// copyFile copies one file. A pressure file that answers with an error, as with
// pressure switched off, is left out.
func copyFile(dir, path string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		fmt.Fprintln(os.Stderr, "capture: left out:", err)
		return nil
	}
	to := filepath.Join(dir, path)
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, content, 0o644)
}
