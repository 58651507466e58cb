package sys

import "golang.org/x/sys/unix"

// TaskExists reports whether a thread with this id lives in our pid namespace,
// a zombie included. It asks for the thread's scheduling policy, which needs
// neither /proc nor a permission (sched_getscheduler(2)).
func TaskExists(tid int) bool {
	_, _, e := unix.RawSyscall(unix.SYS_SCHED_GETSCHEDULER, uintptr(tid), 0, 0)
	return e != ESRCH
}

// InitialPIDNamespace reports whether our process ids are the kernel's own:
// PROC_PID_INIT_INO of include/linux/proc_ns.h.
func InitialPIDNamespace() bool {
	var st unix.Stat_t
	return unix.Stat("/proc/self/ns/pid", &st) == nil && st.Ino == 0xEFFFFFFC
}
