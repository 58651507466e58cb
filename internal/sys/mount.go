package sys

import "golang.org/x/sys/unix"

// The mount flags that callers combine (mount(2)).
const (
	MountReadOnly = unix.MS_RDONLY
	MountMove     = unix.MS_MOVE
	MountNoAtime  = unix.MS_NOATIME
)

// Mount mounts source of type fstype on target; data is the comma-separated
// options of the file system.
func Mount(source, target, fstype string, flags uintptr, data string) error {
	if err := unix.Mount(source, target, fstype, flags, data); err != nil {
		return &OpError{"mount " + source + " on " + target, errno(err)}
	}
	return nil
}

// Chroot makes path the root directory of this process and its children.
func Chroot(path string) error {
	if err := unix.Chroot(path); err != nil {
		return &OpError{"chroot " + path, errno(err)}
	}
	return nil
}

// The ioctls of <linux/fs.h>: _IOWR('X', 119, int) and _IOWR('X', 120, int).
const (
	fiFreeze = 0xC0045877
	fiThaw   = 0xC0045878
)

// FreezeFS stops all writes to the file system that the directory fd lies on:
// a writer sleeps uninterruptibly, and no signal ends that sleep, until
// ThawFS. Needs CAP_SYS_ADMIN.
func FreezeFS(fd int) Errno { return errno(unix.IoctlSetInt(fd, fiFreeze, 0)) }

// ThawFS takes FreezeFS back. EINVAL when nothing was frozen.
func ThawFS(fd int) Errno { return errno(unix.IoctlSetInt(fd, fiThaw, 0)) }
