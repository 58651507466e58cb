package main

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/lmkd/lmkd/test/vm/distro"
	"github.com/lmkd/lmkd/test/vm/image"
	"github.com/lmkd/lmkd/test/vm/kernel"
	"github.com/lmkd/lmkd/test/vm/machine"
	"github.com/lmkd/lmkd/test/vm/wire"
)

// bootWall is generous: software emulation on a busy machine is slow.
const bootWall = 4 * time.Minute

// prepare makes all that the machine boots from; clean removes what is this
// run's own.
func (w *workshop) prepare(ctx context.Context, o *options) (c *machine.Config, clean func(), err error) {
	unlock, err := w.lock()
	if err != nil {
		return nil, nil, err
	}
	defer unlock()
	dir, err := os.MkdirTemp("", "lmkd-vm-")
	if err != nil {
		return nil, nil, err
	}
	clean = func() { _ = os.RemoveAll(dir) }
	c, err = w.config(ctx, o, dir)
	if err != nil {
		clean()
		return nil, nil, err
	}
	return c, clean, nil
}

func (w *workshop) config(ctx context.Context, o *options, dir string) (*machine.Config, error) {
	k, err := kernel.Get(w.cache, o.release)
	if err != nil {
		return nil, err
	}
	agent, err := w.build("./test/vm/init")
	if err != nil {
		return nil, err
	}
	initrd, err := w.initrd(k, agent)
	if err != nil {
		return nil, err
	}
	c := &machine.Config{
		Accel: machine.Accel(o.accel), MemoryMB: o.memory, CPUs: o.cpus,
		Kernel: k.Image, Initrd: initrd, Append: o.commandLine(), Verbose: o.verbose,
		BootWall: min(bootWall, o.wall), Wall: o.wall,
		Stdout: os.Stdout, Stderr: os.Stderr, OutDir: o.out,
	}
	if o.verbose {
		c.Console = os.Stderr
	}
	if err := w.disks(o, c, dir, agent, k); err != nil {
		return nil, err
	}
	if c.OutDir == "" && len(o.home) > 0 {
		c.OutDir = filepath.Join(dir, "out")
	}
	if c.Accel == "auto" {
		c.Accel = w.accel(ctx, *c)
	}
	return c, nil
}

// commandLine is what this guest's kernel gets beyond what all get.
func (o *options) commandLine() string {
	line := o.extra
	switch o.psi {
	case "on":
		line += " psi=1"
	case "off":
		line += " psi=0"
	}
	if o.full {
		line += " vm.guest=full"
		if !o.verbose {
			line += " systemd.show_status=false"
		}
	}
	return line
}

// disks makes and attaches the disks.
func (w *workshop) disks(o *options, c *machine.Config, dir, agent string, k *kernel.Kernel) error {
	attach := func(path, serial string) {
		c.Disks = append(c.Disks, machine.Disk{Path: path, Serial: serial, BytesPerSecond: int64(o.diskRate) << 20})
	}
	if o.full {
		path, err := distro.Get(w.cache, o.release.Suite, k)
		if err != nil {
			return err
		}
		attach(path, wire.DiskSystem)
	}
	p, err := w.lay(o, filepath.Join(dir, "payload"), agent)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, "payload.ext4")
	if err := p.disk(path); err != nil {
		return err
	}
	attach(path, wire.DiskPayload)
	if path, err = w.freezeDisk(); err != nil {
		return err
	}
	attach(path, wire.DiskFreeze)
	if o.bulk == 0 {
		return nil
	}
	if path, err = image.Bulk(w.cache, o.bulk); err != nil {
		return err
	}
	attach(path, wire.DiskBulk)
	return nil
}

// freezeDisk gives the small file system that a victim gets stuck on.
func (w *workshop) freezeDisk() (string, error) {
	path := filepath.Join(w.cache, "freeze.ext4")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := image.Ext4(path+".part", "", 8<<20); err != nil {
		return "", err
	}
	return path, os.Rename(path+".part", path)
}
