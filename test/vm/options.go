package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/lmkd/lmkd/test/vm/kernel"
)

// What a kill by the kernel's own OOM killer means.
const (
	oomForbid  = "forbid"
	oomAllow   = "allow"
	oomRequire = "require"
)

// guestPrefix marks a program that is in the guest already.
const guestPrefix = "guest:"

// options is the command line.
type options struct {
	kernel   string
	release  kernel.Release
	full     bool
	memory   int
	cpus     int
	zram     int
	bulk     int
	diskRate int
	accel    string
	psi      string
	extra    string
	wall     time.Duration
	oom      string
	out      string
	verbose  bool
	files    []string
	installs []string
	builds   []string
	env      []string

	program string // a path on the host, or guest: and one in the guest
	args    []string
	home    []returning // files that go to a place of their own on the host
}

const usage = `vm runs PROGRAM in a virtual machine and exits with its exit code.

    vm [flags] PROGRAM [ARGUMENT...]
    go test -exec "$PWD/bin/vm -kernel 6.12 -zram 230" ./pkg/psi

PROGRAM is a static program on this machine, or guest:/path of one in the guest
(guest:/vm/bin/hogs is always there). Exit codes that are not the program's:
2 usage, 91 the kernel's OOM killer killed, 92 panic, 93 no boot, 94 wall limit,
95 the machine vanished, 96 this machine's own trouble, 97 no OOM kill though
required, 128+N ended by signal N.

`

// parseOptions reads the command line; it has said what is wrong with it.
func parseOptions(args []string, errs io.Writer) (*options, error) {
	o := &options{}
	fs := flag.NewFlagSet("vm", flag.ContinueOnError)
	fs.SetOutput(errs)
	fs.Usage = func() { fmt.Fprint(errs, usage); fs.PrintDefaults() }
	o.define(fs)
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	if err := o.complete(fs.Args()); err != nil {
		fmt.Fprintf(errs, "vm: %v (vm -h tells more)\n", err)
		return nil, err
	}
	return o, nil
}

func (o *options) define(fs *flag.FlagSet) {
	fs.StringVar(&o.kernel, "kernel", "6.12", "Debian's kernel: 5.10, 6.1 or 6.12")
	fs.BoolVar(&o.full, "full", false, "boot Debian with systemd in place of the bare kernel")
	fs.IntVar(&o.memory, "mem", 512, "memory in `MB`")
	fs.IntVar(&o.cpus, "smp", 2, "number of `CPUs`")
	fs.IntVar(&o.zram, "zram", 0, "swap on zram in `MB`")
	fs.IntVar(&o.bulk, "bulk", 0, "attach a disk with a file /bulk/bulk of so many `MB`")
	fs.IntVar(&o.diskRate, "disk-rate", 0, "limit each disk to so many `MB/s`")
	fs.StringVar(&o.accel, "accel", "auto", "tcg, kvm, or auto: kvm where a guest has booted with it")
	fs.StringVar(&o.psi, "psi", "on", "pressure stall information: on, off, or default (no word to the kernel)")
	fs.StringVar(&o.extra, "append", "", "more `words` for the kernel's command line")
	fs.DurationVar(&o.wall, "wall", 5*time.Minute, "end the machine after this `time`")
	fs.StringVar(&o.oom, "oom", oomForbid, "a kill by the kernel's OOM killer (one in a limited memory cgroup does not count): forbid, allow, require")
	fs.StringVar(&o.out, "out", "", "`directory` for what the program leaves in /vm/out")
	fs.BoolVar(&o.verbose, "v", false, "show the console, and the times")
	fs.Var((*list)(&o.files), "file", "ship `PATH[:PLACE]`, a file or a tree, to PLACE below /vm (default work/PATH); may be repeated")
	fs.Var((*list)(&o.installs), "install", "copy `FILE:/PLACE` into the guest's root before the program starts; may be repeated")
	fs.Var((*list)(&o.builds), "build", "build the Go `package` and ship it in /vm/bin; may be repeated")
	fs.Var((*list)(&o.env), "env", "set `KEY=VALUE` for the program; may be repeated")
}

func (o *options) complete(rest []string) (err error) {
	if len(rest) == 0 {
		return errors.New("no program to run")
	}
	o.program, o.args = rest[0], rest[1:]
	if o.release, err = kernel.Find(o.kernel); err != nil {
		return err
	}
	o.kernel = o.release.Version
	for _, check := range []struct{ flag, value, known string }{
		{"oom", o.oom, "forbid allow require"},
		{"psi", o.psi, "on off default"},
		{"accel", o.accel, "auto tcg kvm"},
	} {
		if !strings.Contains(" "+check.known+" ", " "+check.value+" ") {
			return fmt.Errorf("-%s %q is none of: %s", check.flag, check.value, check.known)
		}
	}
	if o.full && o.kernel == "5.10" {
		return errors.New("-full knows the kernels 6.1 (bookworm) and 6.12 (trixie)")
	}
	return o.limits()
}

// limits refuses what no guest can be made of.
func (o *options) limits() error {
	for _, check := range []struct {
		flag           string
		value, min, mx int
	}{
		{"mem", o.memory, 96, 16384},
		{"smp", o.cpus, 1, 16},
		{"zram", o.zram, 0, 16384},
		{"bulk", o.bulk, 0, 8192},
		{"disk-rate", o.diskRate, 0, 10000},
	} {
		if check.value < check.min || check.value > check.mx {
			return fmt.Errorf("-%s %d is not between %d and %d", check.flag, check.value, check.min, check.mx)
		}
	}
	return nil
}

// list is a flag that may be repeated.
type list []string

func (l *list) String() string     { return strings.Join(*l, " ") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }
