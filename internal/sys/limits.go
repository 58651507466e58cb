package sys

import (
	"bytes"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// More capabilities that lmkd can do its work with or without (capabilities(7)).
const (
	CapKill    = unix.CAP_KILL
	CapIPCLock = unix.CAP_IPC_LOCK
	CapSysNice = unix.CAP_SYS_NICE
)

// Unlimited is a resource limit that limits nothing.
const Unlimited = ^uint64(0)

// HasCapability tells whether the calling thread has the capability in effect.
func HasCapability(capability uint) (bool, error) {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData
	if err := unix.Capget(&head, &sets[0]); err != nil {
		return false, &OpError{"read capabilities", errno(err)}
	}
	return sets[capability/32].Effective&(1<<(capability%32)) != 0, nil
}

// MemlockLimit gives RLIMIT_MEMLOCK in bytes, Unlimited when it is none.
func MemlockLimit() (uint64, error) {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &r); err != nil {
		return 0, &OpError{"read RLIMIT_MEMLOCK", errno(err)}
	}
	return r.Cur, nil
}

// TryFIFO tells whether a thread of this process may take the real-time
// priority: one does, and ends with it.
func TryFIFO(priority int) error {
	answer := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlock: the thread ends with its priority
		answer <- SetFIFO(priority)
	}()
	return <-answer
}

// OOMScoreAdj gives this process's own oom_score_adj.
func OOMScoreAdj() (int, error) {
	const path = "/proc/self/oom_score_adj"
	fd, e := OpenPath(path, ReadOnly)
	if e != 0 {
		return 0, &OpError{"open " + path, e}
	}
	var buf [16]byte
	n, e := ReadFull(fd.Int(), buf[:])
	_ = fd.Close()
	if e != 0 {
		return 0, &OpError{"read " + path, e}
	}
	return strconv.Atoi(string(bytes.TrimSpace(buf[:n])))
}
