// Package systest makes processes for tests: strangers that are nobody's
// children here, zombies, successors of a pid, dead leaders of living threads,
// ten thousand sleepers; and reruns a test without a privilege, a system call or
// the initial namespaces. The test binary plays every part itself, so that the
// tests run where there is no shell and no other program. It belongs to
// internal/sys because it needs raw system calls, and no program imports it.
package systest
