// Package taskwatch tells of the forks, execs, changes of uid, gid, session and
// name, core dumps, exits and reapings of all tasks of the machine.
//
// It reads the kernel's process events (netlink connector, CN_IDX_PROC,
// drivers/connector/cn_proc.c) through one subscription for the whole program,
// asks for no more kinds than its watchers want (filter of Linux 6.6), and
// leaves the group when nobody watches. A reaping is seen by the hang-up of a
// pidfd (Linux 6.9). Events that were lost are an event, too.
//
// The numbers are those of the initial pid namespace, and only there the kernel
// reports. The package keeps no table of processes and changes none.
package taskwatch
