package sys

import "golang.org/x/sys/unix"

// LinkUp brings the network interface name up, "lo" for example
// (netdevice(7), SIOCSIFFLAGS). Needs CAP_NET_ADMIN.
func LinkUp(name string) error {
	n, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return &OpError{"open a socket for " + name, errno(err)}
	}
	fd := NewFD(n)
	defer func() { _ = fd.Close() }()
	req, err := unix.NewIfreq(name)
	if err == nil {
		req.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
		err = unix.IoctlIfreq(n, unix.SIOCSIFFLAGS, req)
	}
	if err != nil {
		return &OpError{"bring up " + name, errno(err)}
	}
	return nil
}
