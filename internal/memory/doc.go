// Package memory reads what the kernel says about memory, under a root, into
// one pressure.Sample: /proc/meminfo, /proc/vmstat, /proc/pressure/*, the
// mm_stat of the zram devices in /proc/swaps, ZFS's arcstats, and, when asked,
// the watermarks of /proc/zoneinfo.
//
// The files are opened once and read again with pread through one fixed
// buffer: a reading allocates nothing, and no file is too long for it. The
// package keeps no history, judges nothing, and never takes an absent file for
// a zero.
package memory
