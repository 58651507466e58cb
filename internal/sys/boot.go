package sys

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// LoadModule puts the kernel module image into the kernel (init_module(2));
// params are its options, "num_devices=1". A module that is there already, or
// is built in, is no error.
func LoadModule(image []byte, params string) error {
	err := unix.InitModule(image, params)
	if err == nil || err == unix.EEXIST {
		return nil
	}
	return &OpError{"load module", errno(err)}
}

// SwapOn makes the prepared device or file path swap space (swapon(2)).
func SwapOn(path string) error {
	p, err := unix.BytePtrFromString(path)
	if err == nil {
		if _, _, e := unix.Syscall(unix.SYS_SWAPON, uintptr(unsafe.Pointer(p)), 0, 0); e != 0 {
			err = e
		}
	}
	if err != nil {
		return &OpError{"swap on " + path, errno(err)}
	}
	return nil
}

// PowerOff writes dirty pages back and turns the machine off without asking
// any other process. It returns only when it failed.
func PowerOff() error {
	unix.Sync()
	if err := unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF); err != nil {
		return &OpError{"power off", errno(err)}
	}
	return nil
}

// Exec replaces this process by the program path (execve(2)); it returns only
// when it failed.
func Exec(path string, argv, env []string) error {
	return &OpError{"execute " + path, errno(unix.Exec(path, argv, env))}
}

// NoCTTY, among the flags of an open, keeps a terminal from becoming the
// controlling terminal of the one who opens it.
const NoCTTY = unix.O_NOCTTY

// MakeRaw takes all translation and echo from the terminal fd, so that a
// serial line carries bytes as they are.
func MakeRaw(fd int) error {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return &OpError{"read terminal settings", errno(err)}
	}
	t.Iflag, t.Oflag, t.Lflag = unix.IGNBRK, 0, 0
	t.Cflag = unix.CS8 | unix.CREAD | unix.CLOCAL | unix.B115200
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, t); err != nil {
		return &OpError{"set terminal settings", errno(err)}
	}
	return nil
}

// DrainTerminal waits until the serial line fd has sent all that was written.
func DrainTerminal(fd int) Errno { return errno(unix.IoctlSetInt(fd, unix.TCSBRK, 1)) }
