package sys

import "golang.org/x/sys/unix"

// EBUSY is what a locked resource says.
const EBUSY = unix.EBUSY

// The scheduling policies of a Sched (sched(7)).
const (
	SchedOther    = unix.SCHED_NORMAL
	SchedFIFO     = unix.SCHED_FIFO
	SchedRR       = unix.SCHED_RR
	SchedBatch    = unix.SCHED_BATCH
	SchedIdle     = unix.SCHED_IDLE
	SchedDeadline = unix.SCHED_DEADLINE
)

// Sched is how the kernel's scheduler treats one thread.
type Sched struct{ raw unix.SchedAttr }

// NormalSched is the time-sharing class with the given nice value, -20 to 19.
func NormalSched(nice int) Sched {
	return Sched{unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_NORMAL, Nice: int32(nice)}}
}

// IdleSched is the class of threads that run when nobody else wants to.
func IdleSched() Sched {
	return Sched{unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_IDLE}}
}

// Policy gives the class: SchedOther and its kin.
func (s Sched) Policy() int { return int(s.raw.Policy) }

// Nice gives the nice value, which counts in SchedOther and SchedBatch.
func (s Sched) Nice() int { return int(s.raw.Nice) }

// Resets reports whether children start without it (SCHED_RESET_ON_FORK).
func (s Sched) Resets() bool { return s.raw.Flags&unix.SCHED_FLAG_RESET_ON_FORK != 0 }

// GetSched asks how the thread tid is scheduled (sched_getattr(2)); 0 is the
// calling thread. ESRCH: no such thread.
func GetSched(tid int) (Sched, Errno) {
	attr, err := unix.SchedGetAttr(tid, 0)
	if err != nil {
		return Sched{}, errno(err)
	}
	return Sched{*attr}, 0
}

// SetSched sets how the thread tid is scheduled (sched_setattr(2)); 0 is the
// calling thread. EPERM: another user's, or better than before without
// CAP_SYS_NICE.
func SetSched(tid int, s Sched) Errno {
	s.raw.Size = unix.SizeofSchedAttr
	return errno(unix.SchedSetAttr(tid, &s.raw, 0))
}

// CPUSet is a set of processors.
type CPUSet = unix.CPUSet

// MakeCPUSet gives the set of the numbered processors; none means all.
func MakeCPUSet(cpus ...int) CPUSet {
	var set CPUSet
	for _, n := range cpus {
		set.Set(n)
	}
	if len(cpus) == 0 {
		for i := range set {
			set[i] = ^set[i]
		}
	}
	return set
}

// SetCPUs lets the thread tid run on the processors of set, as far as its
// cpuset has them (sched_setaffinity(2)); 0 is the calling thread. EINVAL: its
// cpuset has none of them.
func SetCPUs(tid int, set *CPUSet) Errno { return errno(unix.SchedSetaffinity(tid, set)) }

// GetCPUs gives the processors that the thread tid may run on.
func GetCPUs(tid int, set *CPUSet) Errno { return errno(unix.SchedGetaffinity(tid, set)) }

// Gettid gives the id of the calling thread.
func Gettid() int { return unix.Gettid() }

// SameMemory reports whether two processes have one address space (kcmp(2) with
// KCMP_VM, Linux 3.5, CONFIG_KCMP). Two that have let go of theirs compare
// equal: only ask about the living. EPERM: may not trace one of them.
func SameMemory(pid, other int) (bool, Errno) {
	const kcmpVM = 1
	r, _, e := unix.Syscall6(unix.SYS_KCMP, uintptr(pid), uintptr(other), kcmpVM, 0, 0, 0)
	return e == 0 && r == 0, e
}

// NewSemaphore makes an eventfd of which every Take takes one Notify, and waits
// for it; any number of threads may wait at once (EFD_SEMAPHORE).
func NewSemaphore() (*Eventfd, error) {
	n, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_SEMAPHORE)
	if err != nil {
		return nil, &OpError{"create eventfd", errno(err)}
	}
	return &Eventfd{NewFD(n)}, nil
}

// Take waits until a Notify can be taken from a semaphore, and takes it.
func (e *Eventfd) Take() Errno {
	var b [8]byte
	_, err := Read(e.fd.Int(), b[:])
	return err
}

// SignalNumber gives the number of a signal's name, "SIGTERM" or "TERM"; 0 when
// there is none.
func SignalNumber(name string) int {
	if n := unix.SignalNum(name); n != 0 {
		return int(n)
	}
	return int(unix.SignalNum("SIG" + name))
}

// Unmount takes the file system at path out of sight at once; it ends when
// nobody uses it any more (umount2(2), MNT_DETACH).
func Unmount(path string) error {
	if err := unix.Unmount(path, unix.MNT_DETACH); err != nil {
		return &OpError{"unmount " + path, errno(err)}
	}
	return nil
}

// SetCoreLimit sets RLIMIT_CORE of this process and its children, in bytes.
func SetCoreLimit(bytes uint64) error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{Cur: bytes, Max: Unlimited}); err != nil {
		return &OpError{"set RLIMIT_CORE", errno(err)}
	}
	return nil
}
