package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/test/vm/wire"
)

const systemDisk = wire.DiskSystem

// disk is one that is mounted where wire says.
type disk struct {
	serial, target string
	flags          uintptr
	optional       bool
}

var disks = []disk{
	{serial: wire.DiskPayload, target: wire.Root, flags: sys.MountNoAtime},
	{serial: wire.DiskBulk, target: wire.Bulk, flags: sys.MountReadOnly | sys.MountNoAtime, optional: true},
	{serial: wire.DiskFreeze, target: wire.Freeze, flags: sys.MountNoAtime, optional: true},
}

// mountDisks mounts what the host attached.
func mountDisks() error {
	for _, d := range disks {
		dev, err := findDisk(d.serial)
		if err != nil && d.optional {
			continue
		}
		if err != nil {
			return err
		}
		if isMounted(dev) {
			continue
		}
		if err := os.MkdirAll(d.target, 0o755); err != nil {
			return err
		}
		if err := sys.Mount(dev, d.target, "ext4", d.flags, ""); err != nil {
			return err
		}
	}
	return nil
}

// findDisk gives the device of the virtio disk with that serial number.
func findDisk(serial string) (string, error) {
	files, err := filepath.Glob("/sys/block/vd*/serial")
	if err != nil {
		return "", err
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err == nil && strings.TrimSpace(string(b)) == serial {
			return "/dev/" + filepath.Base(filepath.Dir(f)), nil
		}
	}
	return "", fmt.Errorf("find disk %s: none of the %d virtio disks has that serial number", serial, len(files))
}

// isMounted is true in the full guest for the payload: systemd's unit mounted
// it to get at this program.
func isMounted(dev string) bool {
	b, err := os.ReadFile("/proc/self/mounts")
	return err == nil && strings.Contains("\n"+string(b), "\n"+dev+" ")
}
