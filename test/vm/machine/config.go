package machine

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// Accel is how the guest's instructions are executed.
type Accel string

// The two that are known.
const (
	TCG Accel = "tcg"
	KVM Accel = "kvm"
)

// Disk is one virtio disk. Nothing that the guest writes reaches the file.
type Disk struct {
	Path   string
	Serial string // by which the guest finds it
	// BytesPerSecond limits the reads and the writes, each; 0 does not.
	BytesPerSecond int64
}

// Config is a whole machine.
type Config struct {
	Accel    Accel
	MemoryMB int
	CPUs     int
	Kernel   string // path of the bzImage
	Initrd   string
	Append   string // the kernel's command line, beyond what every guest gets
	Verbose  bool   // the kernel says everything on the console
	Disks    []Disk

	BootWall time.Duration // until the guest's first word
	Wall     time.Duration // until its last
	BootOnly bool          // end the machine at the guest's first word

	Stdout, Stderr io.Writer // of the job
	Console        io.Writer // of the kernel; nil keeps only the tail
	OutDir         string    // where result files go; empty drops them
}

// emulator is the program for the host's own architecture.
const emulator = "qemu-system-x86_64"

// args is QEMU's command line. File descriptor 3 takes the console, 4 the
// frames.
func (c *Config) args() []string {
	a := []string{
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-nic", "none",
		"-m", strconv.Itoa(c.MemoryMB), "-smp", strconv.Itoa(c.CPUs),
		"-kernel", c.Kernel, "-initrd", c.Initrd, "-append", c.commandLine(),
		"-chardev", "file,id=console,path=/dev/fd/3", "-serial", "chardev:console",
		"-chardev", "file,id=frames,path=/dev/fd/4", "-serial", "chardev:frames",
	}
	a = append(a, accelArgs(c.Accel)...)
	for i, d := range c.Disks {
		a = append(a, d.args(fmt.Sprintf("disk%d", i))...)
	}
	return a
}

// accelArgs: with la57 Debian's 6.12 garbles paths under emulation; with cx16
// its 6.12 dies within a minute of forking, for QEMU 7.2 leaves the flags of
// cmpxchg16b wrong now and then; svm is slow there and of no use.
func accelArgs(a Accel) []string {
	if a == KVM {
		return []string{"-accel", "kvm", "-cpu", "host"}
	}
	return []string{"-accel", "tcg,thread=multi,tb-size=512", "-cpu", "max,-svm,-la57,-cx16"}
}

func (d Disk) args(id string) []string {
	drive := fmt.Sprintf("file=%s,id=%s,if=none,format=raw,snapshot=on", strings.ReplaceAll(d.Path, ",", ",,"), id)
	if d.BytesPerSecond > 0 {
		drive += fmt.Sprintf(",throttling.bps-read=%d,throttling.bps-write=%[1]d", d.BytesPerSecond)
	}
	return []string{"-drive", drive, "-device", fmt.Sprintf("virtio-blk-pci,drive=%s,serial=%s", id, d.Serial)}
}

// commandLine: panic=-1 reboots at once, which -no-reboot makes an exit.
func (c *Config) commandLine() string {
	words := []string{"console=ttyS0", "panic=-1", "mitigations=off"}
	if c.Accel == TCG {
		words = append(words, clockWords()...)
	}
	if c.Verbose {
		words = append(words, "loglevel=7")
	} else {
		words = append(words, "loglevel=4")
	}
	if c.Append != "" {
		words = append(words, c.Append)
	}
	return strings.Join(words, " ")
}
