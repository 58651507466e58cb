package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/lmkd/lmkd/internal/sys"
)

// mountPoint is one file system of the kernel's own.
type mountPoint struct {
	fstype, target, data string
	optional             bool // a kernel without it is still a guest
}

// first are the ones that finding the disks needs.
var first = []mountPoint{
	{fstype: "devtmpfs", target: "/dev"},
	{fstype: "proc", target: "/proc"},
	{fstype: "sysfs", target: "/sys"},
}

// others are what systemd would mount, and a program under test expects.
var others = []mountPoint{
	{fstype: "devpts", target: "/dev/pts"},
	{fstype: "tmpfs", target: "/dev/shm"},
	{fstype: "tmpfs", target: "/run"},
	{fstype: "cgroup2", target: "/sys/fs/cgroup"},
	{fstype: "tracefs", target: "/sys/kernel/tracing", optional: true},
	{fstype: "bpf", target: "/sys/fs/bpf", optional: true},
}

func mountAll(points []mountPoint) error {
	for _, m := range points {
		err := os.MkdirAll(m.target, 0o755)
		if err == nil {
			err = sys.Mount(m.fstype, m.target, m.fstype, 0, m.data)
		}
		if err != nil && !m.optional {
			return err
		}
	}
	return nil
}

// bootKernel does what both guests need before their disks can be seen.
func bootKernel() error {
	if err := mountAll(first); err != nil {
		return err
	}
	return loadModules("/modules")
}

// loadModules loads the modules that dir/order lists, one name a line, and
// removes them: the initramfs is memory that nothing else takes back.
func loadModules(dir string) error {
	order, err := os.ReadFile(dir + "/order")
	if err != nil {
		return err
	}
	for name := range strings.FieldsSeq(string(order)) {
		image, err := os.ReadFile(dir + "/" + name)
		if err != nil {
			return err
		}
		if err := sys.LoadModule(image, ""); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return os.RemoveAll(dir)
}

// prepareSmall makes the initramfs a machine that a test finds itself at home
// in: all file systems, controllers on, loopback up.
func prepareSmall() error {
	if err := mountAll(others); err != nil {
		return err
	}
	err := os.WriteFile("/sys/fs/cgroup/cgroup.subtree_control", []byte("+memory +cpu +pids"), 0)
	if err != nil {
		return fmt.Errorf("turn controllers on: %w", err)
	}
	return errors.Join(
		sys.LinkUp("lo"),
		os.WriteFile("/proc/sys/kernel/hostname", []byte("vm"), 0),
		os.Symlink("/vm/bin", "/bin"),
		os.Symlink("/vm/tmp", "/tmp"),
	)
}

// handOver makes the system disk the root and its systemd pid 1.
func handOver() error {
	disk, err := findDisk(systemDisk)
	if err != nil {
		return err
	}
	const root = "/system"
	if err := os.MkdirAll(root, 0o755); err != nil {
		return err
	}
	if err := sys.Mount(disk, root, "ext4", sys.MountNoAtime, ""); err != nil {
		return err
	}
	for _, m := range first {
		if err := sys.Mount(m.target, root+m.target, "", sys.MountMove, ""); err != nil {
			return err
		}
	}
	if err := os.Remove("/init"); err != nil {
		return err
	}
	if err := switchTo(root); err != nil {
		return err
	}
	return sys.Exec("/lib/systemd/systemd", []string{"/lib/systemd/systemd"}, []string{"TERM=linux"})
}

// switchTo moves the file system on root over the initramfs.
func switchTo(root string) error {
	if err := os.Chdir(root); err != nil {
		return err
	}
	if err := sys.Mount(".", "/", "", sys.MountMove, ""); err != nil {
		return err
	}
	if err := sys.Chroot("."); err != nil {
		return err
	}
	return os.Chdir("/")
}

func cmdline() string {
	b, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return ""
	}
	return string(b)
}

// hasWord reports whether line has word among its words.
func hasWord(line, word string) bool {
	return slices.Contains(strings.Fields(line), word)
}
