// Package sys is the one door to the kernel: typed system calls, owned file
// descriptors, epoll, and probes with the kernel version that brought each
// feature. It is the only package that imports golang.org/x/sys/unix, and it
// never decides anything.
//
// Functions that the daemon calls between a wake and a signal return an Errno
// by value (0 is success), so that failing costs no allocation. All others
// return an error that says what was being done.
package sys
