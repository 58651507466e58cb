// Package daemon is the one event loop: it turns the kernel's wakes into the
// engine's inputs, and the engine's actions into system calls.
//
// One locked thread, one epoll, one deadline. It judges nothing, and between a
// wake and the signal it allocates nothing, takes no lock and touches no file
// but /proc, cgroupfs and the victim's pidfd.
package daemon
