package systest

import (
	"bufio"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// program is a process of several threads. It says "ready TID", TID being a
// thread that is not the leader and on which it obeys; see Tell.
func program() {
	leave := make(chan struct{})
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			panic("a second goroutine has the locked leader thread")
		}
		fmt.Println("ready", unix.Gettid())
		in := bufio.NewReader(os.Stdin)
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				os.Exit(0)
			}
			obeyProgram(line, leave)
		}
	}()
	<-leave
	for {
		_, _, _ = unix.Syscall(unix.SYS_EXIT, 0, 0, 0) // this thread only
	}
}

func obeyProgram(line string, leave chan struct{}) {
	var word string
	var n int
	_, _ = fmt.Sscan(line, &word, &n)
	switch word {
	case "exec":
		err := unix.Exec("/proc/thread-self/exe", []string{"program"}, os.Environ())
		fmt.Println("error", err)
	case "leave":
		close(leave)
		fmt.Println("ok")
	case "uid":
		_, _, _ = unix.RawSyscall(unix.SYS_SETREUID, ^uintptr(0), uintptr(n), 0)
	case "gid":
		_, _, _ = unix.RawSyscall(unix.SYS_SETREGID, ^uintptr(0), uintptr(n), 0)
	case "session":
		_, _ = unix.Setsid()
	case "name":
		name := append([]byte(strings.TrimSpace(line[len("name "):])), 0)
		_ = unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(&name[0])), 0, 0, 0)
	case "signals":
		fmt.Println(int64(signals(n)))
	case "abort":
		abort()
	case "exit":
		os.Exit(n)
	}
}

// abort dies of SIGABRT, which Go's runtime would handle. No core is left.
func abort() {
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	var byDefault [64]byte // a struct sigaction of SIG_DFL, on every architecture
	_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(unix.SIGABRT), uintptr(unsafe.Pointer(&byDefault)), 0, 8, 0, 0)
	_ = unix.Kill(unix.Getpid(), unix.SIGABRT)
}

// signals sends itself a signal n times, to the leader, which handles it before
// the next is sent: how long that took.
func signals(n int) time.Duration {
	got := make(chan os.Signal, 1)
	signal.Notify(got, unix.SIGUSR1)
	defer signal.Stop(got)
	begin := time.Now()
	for range n {
		_ = unix.Tgkill(unix.Getpid(), unix.Getpid(), unix.SIGUSR1)
		<-got
	}
	return time.Since(begin)
}
