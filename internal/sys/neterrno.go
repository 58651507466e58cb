package sys

import "golang.org/x/sys/unix"

// The error numbers of sockets that callers branch on.
const (
	EADDRINUSE   = unix.EADDRINUSE
	ECONNREFUSED = unix.ECONNREFUSED
)
