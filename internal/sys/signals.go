package sys

import (
	"os"

	"golang.org/x/sys/unix"
)

// The signals by which a person or a service manager ends a program.
var (
	Interrupt os.Signal = unix.SIGINT
	Terminate os.Signal = unix.SIGTERM
)
