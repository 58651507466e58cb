// Package probe finds out what the kernel and the permissions of this process
// give, by trying it: pressure triggers, reclaim events, pidfds, the right to
// signal and to lock memory. What is lacking comes with what is lost without it
// and what cures it, from one table, so that the daemon at start and `lmkd check`
// say the same. It reads /proc under a root, arms and drops a trigger, loads and
// drops the BPF programs, and changes nothing that stays.
package probe
