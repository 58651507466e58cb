package exitwait

import (
	"bytes"
	"strconv"
	"sync"

	"github.com/lmkd/lmkd/internal/sys"
)

// processStatus is true where a zombie shows the status of its process. Before
// Linux 5.17 waitid with WNOWAIT and field 52 of stat showed that of the leader
// thread, which is another one when the leader left before the others: by
// pthread_exit, with 0.
var processStatus = sync.OnceValue(func() bool { return sys.KernelAtLeast(sys.KernelRelease(), 5, 17) })

// believed gives a zombie's status as the process's, if it is. A process that
// was seen alive with one thread is taken to have had no other.
func believed(status uint32, lone bool) Exit {
	if status == 0 && !lone && !processStatus() {
		return Exit{}
	}
	return Exit{Known: true, Status: status}
}

// pidfdExit asks how the dead process behind pidfd ended, in the order of who
// may know: its parent (waitid, which leaves it unreaped), anybody after the
// reaping (PIDFD_GET_INFO, Linux 6.15), whoever may inspect the zombie (field 52
// of stat, Linux 3.5). It may be reaped between two questions, so the second is
// asked again.
func pidfdExit(pidfd int, id identity) Exit {
	status, changed, _ := sys.WaitPidfd(pidfd, sys.WaitExited|sys.WaitNoHang|sys.WaitNoReap)
	if changed {
		return believed(status, id.lone)
	}
	if exit, ok := keptExit(pidfd); ok {
		return exit
	}
	exit := id.zombieExit()
	if exit.Known && sys.PidfdSignal(pidfd, 0) != sys.ESRCH {
		return exit // not reaped: the pid was still its own when stat was read
	}
	exit, _ = keptExit(pidfd)
	return exit
}

// keptExit asks for the status that the kernel keeps for open pidfds.
func keptExit(pidfd int) (Exit, bool) {
	info, e := sys.GetPidfdInfo(pidfd)
	if e != 0 || !info.Exited {
		return Exit{}, false
	}
	return Exit{Known: true, Status: info.Status}, true
}

// zombieExit reads the status of a process that has exited and was not reaped.
// To a caller who may not inspect the process stat shows 0.
func (id identity) zombieExit() Exit {
	s, err := readStat(id.pid)
	if err != nil || !s.dead() || s.start != id.start {
		return Exit{}
	}
	if s.exitCode == 0 && !mayInspect(id.pid) {
		return Exit{}
	}
	return believed(s.exitCode, id.lone)
}

// mayInspect asks for the permission that stat asks for silently
// (PTRACE_MODE_READ_FSCREDS), of a link that even a zombie has.
func mayInspect(pid int) bool {
	var path, target [48]byte
	name := append(strconv.AppendInt(append(path[:0], "/proc/"...), int64(pid), 10), "/ns/user\x00"...)
	_, e := sys.ReadLink(name, target[:])
	return e == 0
}

// isThread reports whether the number pid is that of a thread other than the
// leader.
func isThread(pid int) bool {
	tgid, ok := statusField(pid, "\nTgid:\t")
	return ok && tgid != pid
}

// ownChild reports whether the process pid is a child of this one.
func ownChild(pid int) bool {
	ppid, ok := statusField(pid, "\nPPid:\t")
	return ok && ppid == sys.Getpid()
}

// statusField reads a number of /proc/PID/status.
func statusField(pid int, key string) (int, bool) {
	var path [40]byte
	var buf [1024]byte
	name := append(strconv.AppendInt(append(path[:0], "/proc/"...), int64(pid), 10), "/status\x00"...)
	text, e := sys.ReadFileAt(sys.CWD, name, buf[:])
	if e != 0 {
		return 0, false
	}
	return parseField(text, key)
}

// parseField finds the line that begins with key ("\nTgid:\t") in a status
// file. The process's name, in the first line, has its newlines escaped.
func parseField(text []byte, key string) (int, bool) {
	_, rest, ok := bytes.Cut(text, []byte(key))
	if !ok {
		return 0, false
	}
	line, _, ok := bytes.Cut(rest, []byte("\n"))
	if !ok {
		return 0, false
	}
	n, err := strconv.Atoi(string(line))
	return n, err == nil
}
