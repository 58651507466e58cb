package sys

import "golang.org/x/sys/unix"

// The capabilities that lmkd can do its work with or without
// (capabilities(7)).
const (
	CapSysAdmin    = unix.CAP_SYS_ADMIN
	CapSysResource = unix.CAP_SYS_RESOURCE
	CapPerfmon     = unix.CAP_PERFMON
	CapBPF         = unix.CAP_BPF
)

// DropCapabilities takes capabilities from the calling thread for good; the
// process's other threads keep theirs. It is meant for a goroutine that is
// locked to its thread and dies with it.
func DropCapabilities(caps ...uint) error {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData
	if err := unix.Capget(&head, &sets[0]); err != nil {
		return &OpError{"read capabilities", errno(err)}
	}
	for _, c := range caps {
		s := &sets[c/32]
		s.Effective &^= 1 << (c % 32)
		s.Permitted &^= 1 << (c % 32)
		s.Inheritable &^= 1 << (c % 32)
	}
	if err := unix.Capset(&head, &sets[0]); err != nil {
		return &OpError{"drop capabilities", errno(err)}
	}
	return nil
}

// ForbidCapabilities takes capabilities from the calling thread's bounding set:
// no program that it executes has them, root's neither (prctl(2),
// PR_CAPBSET_DROP).
func ForbidCapabilities(caps ...uint) error {
	for _, c := range caps {
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(c), 0, 0, 0); err != nil {
			return &OpError{"drop a capability from the bounding set", errno(err)}
		}
	}
	return nil
}
