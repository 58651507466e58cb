package systest

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// MakeTwin clones a process that shares this one's address space and sleeps for
// ever, as does the calling thread: it must be called in a goroutine of its own.
// With vfork the thread sleeps in the kernel until the twin ends.
//
// Both run the same loop on the same stack, and write the same into it; nothing
// but raw calls may follow.
//
//go:norace
func MakeTwin(vfork bool) {
	runtime.LockOSThread()
	flags := uintptr(unix.CLONE_VM | int(unix.SIGCHLD))
	if vfork {
		flags |= unix.CLONE_VFORK
	}
	// The pauses of a garbage collection preempt by a signal, whose handler
	// would find the wrong thread in the twin.
	var all, old unix.Sigset_t
	for i := range all.Val {
		all.Val[i] = ^all.Val[i]
	}
	_ = unix.PthreadSigmask(unix.SIG_SETMASK, &all, &old)
	cloneAndSleep(flags)
}

//go:norace
//go:nosplit
func cloneAndSleep(flags uintptr) {
	unix.RawSyscall6(unix.SYS_CLONE, flags, 0, 0, 0, 0, 0)
	for {
		unix.RawSyscall6(unix.SYS_PPOLL, 0, 0, 0, 0, 0, 0)
	}
}

// EndThread ends the calling thread alone: of the first one a zombie leader is
// left.
func EndThread() {
	for {
		_, _, _ = unix.Syscall(unix.SYS_EXIT, 0, 0, 0)
	}
}

// Abort ends this process by SIGABRT as a C program would, with a core dump and
// without a word: the kernel's own action is put in the place of the runtime's.
func Abort() {
	var action [64]uint64 // a struct sigaction of nothing, which is SIG_DFL
	_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(unix.SIGABRT), uintptr(unsafe.Pointer(&action)), 0, 8, 0, 0)
	_ = unix.Kill(unix.Getpid(), unix.SIGABRT)
	select {}
}
