package systest

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// fork makes a child that reads one byte from gate, writes the time to stamp,
// and exits with the byte as its code. With a pid, 0 else, the child gets that
// very pid (clone3(2) with set_tid, Linux 5.5). Nothing of the Go runtime works
// in the child, hence raw calls only, on the stack that there is.
//
//go:norace
//go:nosplit
func fork(gate int, stamp *int64, pid int) (int, unix.Errno) {
	var tid = [1]int32{int32(pid)}
	args := cloneArgs{exitSignal: uint64(unix.SIGCHLD)}
	parent, _, _ := unix.RawSyscall(unix.SYS_GETPID, 0, 0, 0)
	if pid != 0 {
		args.setTID, args.setTIDSize = uint64(uintptr(unsafe.Pointer(&tid))), 1
	}
	child, _, e := unix.RawSyscall(unix.SYS_CLONE3, uintptr(unsafe.Pointer(&args)), unsafe.Sizeof(args), 0)
	if e != 0 || child != 0 {
		return int(child), e
	}
	unix.RawSyscall6(unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0, 0)
	if now, _, _ := unix.RawSyscall(unix.SYS_GETPPID, 0, 0, 0); now != parent {
		unix.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0) // orphaned before it could ask for the signal
	}
	var code [1]byte
	for {
		n, _, e := unix.RawSyscall(unix.SYS_READ, uintptr(gate), uintptr(unsafe.Pointer(&code)), 1)
		if n == 1 || e != unix.EINTR {
			break
		}
	}
	var now [2]int64 // large enough for every timespec
	unix.RawSyscall(unix.SYS_CLOCK_GETTIME, unix.CLOCK_MONOTONIC, uintptr(unsafe.Pointer(&now)), 0)
	ts := (*unix.Timespec)(unsafe.Pointer(&now))
	*stamp = int64(ts.Sec)*int64(time.Second) + int64(ts.Nsec)
	for {
		unix.RawSyscall(unix.SYS_EXIT_GROUP, uintptr(code[0]), 0, 0)
	}
}

// cloneArgs is struct clone_args of include/uapi/linux/sched.h.
type cloneArgs struct {
	flags, pidfd, childTID, parentTID, exitSignal uint64
	stack, stackSize, tls, setTID, setTIDSize     uint64
}

// stamps maps memory that forked children share with their parent.
func stamps(n int) ([]int64, error) {
	b, err := unix.Mmap(-1, 0, 8*n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, err
	}
	return unsafe.Slice((*int64)(unsafe.Pointer(&b[0])), n), nil
}

func mountProc() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil && err != unix.EINVAL {
		return err
	}
	return unix.Mount("proc", "/proc", "proc", 0, "")
}

// numbers of the system calls that a rerun can be denied.
var numbers = map[string]uint32{
	"pidfd_open":        unix.SYS_PIDFD_OPEN,
	"process_mrelease":  unix.SYS_PROCESS_MRELEASE,
	"pidfd_send_signal": unix.SYS_PIDFD_SEND_SIGNAL,
	"kcmp":              unix.SYS_KCMP,
}

// denyCalls makes the named calls answer ENOSYS on all threads, as an older
// kernel would (seccomp(2)).
func denyCalls(names []string) error {
	stmt := func(code uint16, k uint32) unix.SockFilter { return unix.SockFilter{Code: code, K: k} }
	prog := []unix.SockFilter{stmt(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, 0)} // the call's number
	for _, name := range names {
		prog = append(prog,
			unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: numbers[name]},
			stmt(unix.BPF_RET|unix.BPF_K, unix.SECCOMP_RET_ERRNO|uint32(unix.ENOSYS)))
	}
	prog = append(prog, stmt(unix.BPF_RET|unix.BPF_K, unix.SECCOMP_RET_ALLOW))
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	fprog := unix.SockFprog{Len: uint16(len(prog)), Filter: &prog[0]}
	_, _, e := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC,
		uintptr(unsafe.Pointer(&fprog)))
	if e != 0 {
		return e
	}
	return nil
}

// RaiseFileLimit lets this process have n open files, if it may.
func RaiseFileLimit(n int) error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	if limit.Cur >= uint64(n) {
		return nil
	}
	limit.Cur, limit.Max = uint64(n), max(limit.Max, uint64(n))
	return unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
}
