// Command capture copies the files that package process reads from this machine
// into a directory, with a SOURCE file that says where they come from. The
// directory is a root for process.Open. Of the kernel threads the first five
// are enough.
//
//	go run ./internal/process/capture DIR "what machine, in which state"
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const kernelThreads = 5

// The files of a process, and those of a thread whose leader has exited.
var (
	processFiles = []string{"stat", "statm", "status", "oom_score_adj", "oom_score", "cgroup", "cmdline"}
	threadFiles  = []string{"stat", "statm", "status"}
)

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
	pids, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return err
	}
	kernel := 0
	for _, pid := range pids {
		if isKernelThread(pid) {
			if kernel++; kernel > kernelThreads {
				continue
			}
		}
		if err := copyProcess(dir, pid); err != nil {
			return err
		}
	}
	for _, name := range []string{"/proc/meminfo", "/proc/cgroups", "/sys/devices/system/cpu/possible"} {
		if err := copyFile(dir, name); err != nil {
			return err
		}
	}
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return err
	}
	source := fmt.Sprintf("captured on Linux %s, %s; go run ./internal/process/capture DIR MACHINE\n",
		strings.TrimSpace(string(release)), machine)
	return os.WriteFile(filepath.Join(dir, "SOURCE"), []byte(source), 0o644)
}

// isKernelThread knows them by their parent, kthreadd, and kthreadd by its pid.
func isKernelThread(pid string) bool {
	status, err := os.ReadFile(pid + "/status")
	return err == nil && (bytes.Contains(status, []byte("\nPPid:\t2\n")) || pid == "/proc/2")
}

func copyProcess(dir, pid string) error {
	for _, name := range processFiles {
		if err := copyFile(dir, filepath.Join(pid, name)); err != nil {
			return err
		}
	}
	stat, err := os.ReadFile(pid + "/stat")
	if err != nil || !bytes.Contains(stat, []byte(") Z ")) {
		return nil
	}
	for _, name := range threadFiles {
		threads, err := filepath.Glob(pid + "/task/*/" + name)
		if err != nil {
			return err
		}
		for _, path := range threads {
			if err := copyFile(dir, path); err != nil {
				return err
			}
		}
	}
	return nil
}

// copyFile copies one file; one that is gone by now is left out.
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
