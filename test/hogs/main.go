package main

import (
	"flag"
	"fmt"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/lmkd/lmkd/internal/sys"
)

// hog is one subcommand. Its flags are defined first; what define returns runs
// for ever, or until the work is done.
type hog struct {
	name, what string
	define     func(fs *flag.FlagSet) func() error
}

// hogs is filled here and not in its declaration: forks starts others.
func hogs() []hog {
	return []hog{
		{"leak", "allocate at a steady rate, for ever or up to -mb", defineLeak(40)},
		{"bomb", "allocate as fast as it can", defineLeak(0)},
		{"sigterm", "a leak that ignores SIGTERM and SIGINT", defineSigterm},
		{"finite", "allocate -mb at once, say \"ready\", hold it", defineFinite},
		{"breathe", "allocate -mb, free it, again and again", defineBreathe},
		{"forks", "start 15 MB children without end", defineForks},
		{"twice", "start 15 MB children without end, which init adopts", defineTwice},
		{"chain", "take 15 MB and start the next, without end", defineChain},
		{"thrash", "fill memory up to a rest, then touch a larger file at random", defineThrash},
		{"stream", "read a file from front to back, again and again", defineStream},
		{"tmpfs", "fill a file on tmpfs", defineTmpfs},
		{"innocent", "use -mb all the time and say how long that takes", defineInnocent},
		{"slowdie", "hold -mb and take long to die of SIGKILL", defineSlowdie},
		{"keeper", "thaw the file system on which slowdie's victim is stuck", defineKeeper},
		{"threads", "hold -n threads", defineThreads},
		{"run", "run another program with -adj", defineRun},
	}
}

func init() {
	// The main goroutine stays on the main thread: whose state is the process's.
	runtime.LockOSThread()
	debug.SetGCPercent(-1)
}

func main() {
	if err := start(os.Args); err != nil {
		fmt.Fprintln(os.Stderr, "hogs:", err)
		os.Exit(1)
	}
}

func start(args []string) error {
	if len(args) < 2 {
		return usage()
	}
	for _, h := range hogs() {
		if h.name != args[1] {
			continue
		}
		var c common
		fs := flag.NewFlagSet("hogs "+h.name, flag.ExitOnError)
		c.define(fs)
		run := h.define(fs)
		if err := fs.Parse(args[2:]); err != nil {
			return err
		}
		if err := c.apply(args[0], h.name); err != nil {
			return err
		}
		return run()
	}
	return fmt.Errorf("no hog %q; hogs alone lists them", args[1])
}

func usage() error {
	fmt.Println("hogs HOG [flags], a HOG being:")
	for _, h := range hogs() {
		fmt.Printf("  %-9s %s\n", h.name, h.what)
	}
	return nil
}

// common are the flags of every hog.
type common struct {
	name string
	adj  int
	deaf bool
}

func (c *common) define(fs *flag.FlagSet) {
	fs.StringVar(&c.name, "name", "", "the process's `name` (comm); else argv[0], else hog-HOG")
	fs.IntVar(&c.adj, "adj", 0, "its oom_score_adj")
	fs.BoolVar(&c.deaf, "deaf", false, "ignore SIGTERM and SIGINT")
}

// apply makes the process what the flags say. The adjustment is always set: a
// driver's own protection must not be inherited.
func (c *common) apply(argv0, hog string) error {
	name := c.name
	if name == "" {
		name = filepath.Base(argv0)
	}
	if name == "hogs" {
		name = "hog-" + hog
	}
	if err := os.WriteFile("/proc/self/comm", []byte(name), 0); err != nil {
		return fmt.Errorf("take the name %s: %w", name, err)
	}
	if err := os.WriteFile("/proc/self/oom_score_adj", []byte(strconv.Itoa(c.adj)), 0); err != nil {
		return fmt.Errorf("set oom_score_adj %d: %w", c.adj, err)
	}
	if c.deaf {
		signal.Ignore(os.Interrupt, sys.SignalTerminate)
	}
	return nil
}

// hold does nothing for ever. A timer that never fires keeps the Go runtime
// from calling that a deadlock.
func hold() error {
	for {
		time.Sleep(math.MaxInt64)
	}
}
