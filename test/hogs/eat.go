package main

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/lmkd/lmkd/internal/sys"
)

// tick is the rhythm of everything that has a rate.
const tick = 10 * time.Millisecond

// defineLeak makes the hogs that differ in their default rate only; 0 is as
// fast as the machine can.
func defineLeak(rate float64) func(fs *flag.FlagSet) func() error {
	return func(fs *flag.FlagSet) func() error {
		perSecond := fs.Float64("rate", rate, "`MB/s`, 0 for as fast as it can")
		most := fs.Int("mb", 0, "stop growing at so many `MB`, 0 for never")
		return func() error { return leak(*perSecond, *most*mb) }
	}
}

func defineSigterm(fs *flag.FlagSet) func() error {
	run := defineLeak(40)(fs)
	return func() error {
		signal.Ignore(os.Interrupt, sys.SignalTerminate)
		return run()
	}
}

// leak grows by a step each tick; after a stall it goes on, and does not leap.
func leak(rate float64, most int) error {
	page := int(sys.Pagesize())
	step := mb
	if rate > 0 {
		step = max(int(rate*mb*tick.Seconds())/page*page, page)
	}
	f := newFiller()
	due := sys.Now()
	for total := 0; most == 0 || total < most; total += step {
		if _, err := f.eat(step); err != nil {
			return err
		}
		if rate > 0 {
			due = max(due+tick, sys.Now())
			time.Sleep(due - sys.Now())
		}
	}
	return hold()
}

func defineFinite(fs *flag.FlagSet) func() error {
	size := fs.Int("mb", 15, "`MB` to hold")
	life := fs.Duration("life", 0, "exit after this `time`, 0 for never")
	return func() error {
		if _, err := newFiller().eat(*size * mb); err != nil {
			return err
		}
		fmt.Println("ready")
		if *life > 0 {
			time.Sleep(*life)
			return nil
		}
		return hold()
	}
}

func defineBreathe(fs *flag.FlagSet) func() error {
	size := fs.Int("mb", 100, "`MB` at the height")
	pause := fs.Duration("pause", 500*time.Millisecond, "`time` to stay high, and low")
	return func() error {
		f := newFiller()
		for {
			b, err := f.eat(*size * mb)
			if err != nil {
				return err
			}
			time.Sleep(*pause)
			if err := sys.UnmapPages(b); err != nil {
				return err
			}
			time.Sleep(*pause)
		}
	}
}

// defineInnocent is an editor, a shell, a player: it uses all its memory every
// so often, and each second reports "NAME beat COUNT worst MICROSECONDS": how
// often it did, and how long the slowest round of that second took beyond its
// rhythm.
func defineInnocent(fs *flag.FlagSet) func() error {
	size := fs.Int("mb", 20, "`MB` in use")
	every := fs.Duration("every", 100*time.Millisecond, "the rhythm")
	return func() error {
		b, err := newFiller().eat(max(*size*mb, int(sys.Pagesize())))
		if err != nil {
			return err
		}
		name, err := os.ReadFile("/proc/self/comm")
		if err != nil {
			return err
		}
		fmt.Println("ready")
		return beat(string(name[:len(name)-1]), b, *every)
	}
}

func beat(name string, b []byte, every time.Duration) error {
	reported := sys.Now()
	var worst time.Duration
	for count := 1; ; count++ {
		began := sys.Now()
		time.Sleep(every)
		touch(b)
		now := sys.Now()
		worst = max(worst, now-began-every)
		if now-reported >= time.Second {
			fmt.Printf("%s beat %d worst %d\n", name, count, worst.Microseconds())
			reported, worst = now, 0
		}
	}
}
