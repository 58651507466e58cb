// Package exitwait waits for the exit of any process, child or not.
//
// A [Process] is an open identity: a pidfd (pidfd_open(2), Linux 5.3) and the
// start time of /proc/PID/stat, so that a reused pid can neither end a wait nor
// prolong it. It is ready when the whole thread group is dead: a zombie is, a
// dead leader with living threads is not, and an exec by any of its threads
// changes nothing. [Set] waits for thousands with one thread and one epoll.
//
// The package sends no signal but the number 0 through a pidfd, reaps nobody's
// children, and never polls unless it is asked to.
package exitwait
