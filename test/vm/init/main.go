package main

import (
	"fmt"
	"os"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/test/vm/wire"
)

func main() {
	if err := run(); err != nil {
		complain(err)
	}
	if err := sys.PowerOff(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run gives an error only when there was no line to say it on, or the job
// could not even be read.
func run() error {
	if os.Getpid() == 1 {
		if err := bootKernel(); err != nil {
			return err
		}
		if hasWord(cmdline(), "vm.guest=full") {
			return handOver()
		}
		if err := prepareSmall(); err != nil {
			return err
		}
	}
	if err := mountDisks(); err != nil {
		return err
	}
	line, err := openLine("/dev/ttyS1")
	if err != nil {
		return err
	}
	defer func() { _ = line.Close() }()
	return serve(line)
}

// complain says on the console, which the host reads too, why the guest is of
// no use; the host knows the words.
func complain(err error) {
	console, e := os.OpenFile("/dev/console", os.O_WRONLY, 0)
	if e != nil {
		console = os.Stderr
	}
	fmt.Fprintf(console, "\n%s%v\n", wire.BootFailed, err)
}

// openLine opens a serial line that carries bytes as they are.
func openLine(path string) (*os.File, error) {
	fd, e := sys.OpenPath(path, sys.ReadWrite|sys.NoCTTY)
	if e != 0 {
		return nil, fmt.Errorf("open %s: %w", path, e)
	}
	if err := sys.MakeRaw(fd.Int()); err != nil {
		_ = fd.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	owned := fd.Take()
	return os.NewFile(uintptr(owned.Int()), path), nil
}
