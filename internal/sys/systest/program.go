package systest

import (
	"bufio"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// program is a process of several threads. It says "ready TID", TID being a
// thread that is not the leader and on which it obeys: "exec" becomes a new
// program from this thread, "leave" lets the leader thread die, "exit N" ends
// the whole process, "spin" busies this thread.
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
	case "exit":
		os.Exit(n)
	}
}
