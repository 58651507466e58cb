package main

import (
	"flag"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/lmkd/lmkd/internal/sys"
)

// defineTwice is a bomb that nobody is the parent of: each child is started by
// one that ends at once, as a daemon is, so that init adopts it. Like a shell's
// job it has a process group of its own.
func defineTwice(fs *flag.FlagSet) func() error {
	size := fs.Int("mb", 15, "`MB` of each child")
	every := fs.Duration("every", 100*time.Millisecond, "a child each `time`")
	between := fs.Bool("between", false, "be the one in between")
	return func() error {
		if *between {
			return exec.Command(self, "finite", "-name", "hog-child", "-mb", strconv.Itoa(*size)).Start()
		}
		if err := sys.LeadGroup(); err != nil {
			return err
		}
		for {
			_ = exec.Command(self, "twice", "-between", "-mb", strconv.Itoa(*size)).Run()
			time.Sleep(*every)
		}
	}
}

// defineChain is a bomb each of whose processes takes its share, starts the next
// and lives on; with -leave it hands its share to one that stays and ends, so
// that the parent is another one each time.
func defineChain(fs *flag.FlagSet) func() error {
	size := fs.Int("mb", 15, "`MB` of each link")
	every := fs.Duration("every", 100*time.Millisecond, "a link each `time`")
	leave := fs.Bool("leave", false, "end once the next is there")
	first := fs.Bool("first", true, "lead a process group")
	return func() error {
		if *first {
			if err := sys.LeadGroup(); err != nil {
				return err
			}
		}
		keep := exec.Command(self, "finite", "-name", "hog-child", "-mb", strconv.Itoa(*size))
		if *leave {
			if err := keep.Start(); err != nil {
				return err
			}
		} else if _, err := newFiller().eat(*size * mb); err != nil {
			return err
		}
		time.Sleep(*every)
		next := exec.Command(self, "chain", "-name", "hog-chain", "-first=false", "-mb", strconv.Itoa(*size),
			"-every", every.String(), "-leave="+strconv.FormatBool(*leave))
		next.Stderr = os.Stderr
		if err := next.Start(); err != nil {
			return err
		}
		if *leave {
			return nil
		}
		return hold()
	}
}
