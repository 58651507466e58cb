// Package machine runs one QEMU machine to its end and says how that was: the
// job's own exit, the kernel's OOM killer, a panic, no boot, the wall limit.
// It decides between software emulation and KVM by booting a guest, never by
// the presence of /dev/kvm, and it kills only the QEMU that it started.
package machine
