package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"time"

	"github.com/lmkd/lmkd/internal/sys"
)

// self is this program, whatever its name was.
const self = "/proc/self/exe"

// defineForks is a build gone wild, or a server under attack: killing its
// children is of no use.
func defineForks(fs *flag.FlagSet) func() error {
	size := fs.Int("mb", 15, "`MB` of each child")
	every := fs.Duration("every", 100*time.Millisecond, "a child each `time`")
	life := fs.Duration("life", 0, "a child's `life`, 0 for ever")
	most := fs.Int("n", 0, "`number` of children at once, 0 for no limit")
	return func() error {
		room := make(chan struct{}, max(*most, 1))
		for {
			if *most > 0 {
				room <- struct{}{}
			}
			cmd := exec.Command(self, "finite", "-name", "hog-child", "-mb", strconv.Itoa(*size), "-life", life.String())
			if err := cmd.Start(); err != nil {
				fmt.Fprintln(os.Stderr, "fork:", err)
				time.Sleep(*every)
				continue
			}
			go func() {
				_ = cmd.Wait() // killed or not, the next one comes
				if *most > 0 {
					<-room
				}
			}()
			time.Sleep(*every)
		}
	}
}

// defineThreads is a server with a thread for each client.
func defineThreads(fs *flag.FlagSet) func() error {
	n := fs.Int("n", 1000, "`number` of threads")
	size := fs.Int("mb", 0, "`MB` to hold besides")
	return func() error {
		if *size > 0 {
			if _, err := newFiller().eat(*size * mb); err != nil {
				return err
			}
		}
		started := make(chan struct{})
		for range *n {
			go func() {
				runtime.LockOSThread()
				started <- struct{}{}
				select {}
			}()
		}
		for range *n {
			<-started
		}
		fmt.Println("ready")
		return hold()
	}
}

// defineRun starts what is no hog with an oom_score_adj of its own: what a
// protected driver starts would be as protected as itself.
func defineRun(fs *flag.FlagSet) func() error {
	return func() error {
		if fs.NArg() == 0 {
			return errors.New("run: no program given")
		}
		path, err := exec.LookPath(fs.Arg(0))
		if err != nil {
			return err
		}
		return sys.Exec(path, fs.Args(), os.Environ())
	}
}
