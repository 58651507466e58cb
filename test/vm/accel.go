package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/lmkd/lmkd/test/vm/machine"
)

// smokeWall is how long a guest may take to boot with KVM: a working one
// needs two seconds.
const smokeWall = 10 * time.Second

// accel finds out, once a boot of this machine, whether guests boot with KVM:
// /dev/kvm is there on machines where none does.
func (w *workshop) accel(ctx context.Context, c machine.Config) machine.Accel {
	kvm, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0)
	if err != nil {
		return machine.TCG
	}
	_ = kvm.Close()
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return machine.TCG
	}
	note := filepath.Join(w.cache, "accel-"+string(bytes.TrimSpace(id)))
	if known, err := os.ReadFile(note); err == nil {
		return machine.Accel(known)
	}
	found := smoke(ctx, c)
	if ctx.Err() == nil {
		// Without the note the next run tries again: slower, not wrong.
		_ = os.WriteFile(note, []byte(found), 0o644)
	}
	return found
}

// smoke boots the guest with KVM up to its first word.
func smoke(ctx context.Context, c machine.Config) machine.Accel {
	c.Accel, c.BootWall, c.Wall, c.BootOnly = machine.KVM, smokeWall, smokeWall, true
	c.Stdout, c.Stderr, c.Console, c.OutDir = io.Discard, io.Discard, nil, ""
	r, err := machine.Run(ctx, &c)
	if err == nil && r.Ready != nil {
		return machine.KVM
	}
	return machine.TCG
}
