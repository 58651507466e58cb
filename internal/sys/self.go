package sys

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// LockMemory pins present and future pages of this process as they are touched
// (mlockall(2), MCL_ONFAULT since Linux 4.4). Without ONFAULT a Go program
// would pin its whole reserved arenas.
func LockMemory() error {
	const onfault = 4 // MCL_ONFAULT
	if err := unix.Mlockall(unix.MCL_CURRENT | unix.MCL_FUTURE | onfault); err != nil {
		return &OpError{"lock memory (mlockall)", errno(err)}
	}
	return nil
}

// SetFIFO gives the calling thread the real-time policy SCHED_FIFO. Threads
// that it creates start without it (SCHED_RESET_ON_FORK).
func SetFIFO(priority int) error {
	attr := unix.SchedAttr{
		Size:     unix.SizeofSchedAttr,
		Policy:   unix.SCHED_FIFO,
		Flags:    unix.SCHED_FLAG_RESET_ON_FORK,
		Priority: uint32(priority),
	}
	if err := unix.SchedSetAttr(0, &attr, 0); err != nil {
		return &OpError{"take real-time priority (SCHED_FIFO)", errno(err)}
	}
	return nil
}

// SetNice sets the nice value of the calling thread only.
func SetNice(nice int) error {
	if err := unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), nice); err != nil {
		return &OpError{"set nice " + strconv.Itoa(nice), errno(err)}
	}
	return nil
}

// Geteuid gives the effective uid of this process.
func Geteuid() uint32 { return uint32(unix.Geteuid()) }

// Getpid gives the pid of this process as the kernel's /proc shows it.
func Getpid() int { return unix.Getpid() }

// Pagesize gives the size of a page in bytes.
func Pagesize() uint64 { return uint64(unix.Getpagesize()) }

// SetOOMScoreAdj sets this process's own oom_score_adj; lowering it needs
// CAP_SYS_RESOURCE. Children inherit it.
func SetOOMScoreAdj(adj int) error {
	const path = "/proc/self/oom_score_adj"
	fd, e := OpenPath(path, WriteOnly)
	if e == 0 {
		_, e = Write(fd.Int(), strconv.AppendInt(nil, int64(adj), 10))
		_ = fd.Close()
	}
	if e != 0 {
		return &OpError{"write " + strconv.Itoa(adj) + " to " + path, e}
	}
	return nil
}

// TerminationSignals are the signals that ask a daemon to end.
var TerminationSignals = []os.Signal{unix.SIGTERM, unix.SIGINT}
