// Package relief carries out what is softer than a kill: it has the kernel
// reclaim memory of cgroups (memory.reclaim, Linux 5.19) and lets cgroups stand
// still for a while (cgroup.freeze, Linux 5.2), both of cgroup v2.
//
// Each act has a thread of its own, made at the start, for a reclaim blocks and a
// thaw must not wait for one. It never decides when; never freezes a cgroup with
// a process in it that is protected, or one that somebody else has frozen; and
// what it freezes it writes down before, so that the next daemon thaws it when
// this one dies.
package relief
