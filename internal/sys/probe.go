package sys

import (
	"bytes"
	"strconv"

	"golang.org/x/sys/unix"
)

// Feature is one thing that the kernel may lack: found by trying it, never by
// the version number, because vendors backport.
type Feature struct {
	Name  string // "process_mrelease"
	Since string // the first mainline kernel with it, "5.15"
	Need  string // what is lost without it
	// Probe tries the feature on harmless input: nil when it is there, an
	// error of the kernel when it is not.
	Probe func() error
}

// Pidfd, PidfdSignalling and Mrelease are the features of a kill.
var (
	Pidfd = Feature{"pidfd_open", "5.3", "a kill through an identity that a reused pid cannot inherit", func() error {
		fd, e := PidfdOpen(Getpid())
		if e != 0 {
			return e
		}
		return fd.Close()
	}}
	PidfdSignalling = Feature{"pidfd_send_signal", "5.1", "a signal that cannot reach a stranger", func() error {
		return present(PidfdSignal(-1, 0))
	}}
	Mrelease = Feature{"process_mrelease", "5.15", "memory back at once from a victim that is frozen, throttled or slow to die", func() error {
		return present(ProcessMrelease(-1))
	}}
)

// present turns the answer to a call with a bad descriptor into a verdict: any
// error but ENOSYS and EPERM comes from a kernel that has the call.
func present(e Errno) error {
	if e == ENOSYS || e == EPERM {
		return e
	}
	return nil
}

// KernelRelease gives uname's release, "6.12.38+deb13-cloud-amd64".
func KernelRelease() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "unknown"
	}
	return string(bytes.TrimRight(u.Release[:], "\x00"))
}

// KernelAtLeast compares a release with major.minor.
func KernelAtLeast(release string, major, minor int) bool {
	var part [2]int
	rest := release
	for i := range part {
		end := 0
		for end < len(rest) && rest[end] >= '0' && rest[end] <= '9' {
			end++
		}
		part[i], _ = strconv.Atoi(rest[:end])
		rest = rest[min(end+1, len(rest)):]
	}
	return part[0] > major || part[0] == major && part[1] >= minor
}
