// Package psi reads pressure stall information and arms pressure triggers, on
// the whole machine (/proc/pressure/memory, Linux 4.20; triggers 5.2) or on one
// cgroup of version 2 (its memory.pressure). The format and the rules of
// triggers are those of Documentation/accounting/psi.rst and
// kernel/sched/psi.c.
//
// A trigger is a file descriptor for the caller's own epoll, asked for EPOLLPRI;
// Go's poller never asks for that. The package starts no goroutine and no
// timer, never looks at a process, and never falls back in silence: what the
// kernel refuses comes back as an *Error that says which State the file is in
// and what cures it.
package psi
