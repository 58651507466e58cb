// Package memevent tells when the kernel reclaims memory and when its OOM
// killer acts, through BPF programs on tracepoints of mm/vmscan.c and
// mm/oom_kill.c that are assembled here, in Go.
//
// It tells, too, when page faults have brought as much memory as was allowed: long
// before anything must be reclaimed.
//
// The programs keep the present state in memory that is shared with this
// process: which kswapd is awake since when, which task is in direct reclaim
// since when, how often the OOM killer marked a victim. Reading it is a few
// loads and no system call. They wake the daemon, through a ring buffer that an
// epoll watches, only when it armed them, once, and then stay silent until it
// arms them again; only the OOM killer always wakes. So a machine that reclaims
// page cache all day costs some nanoseconds an event and no wakeup, and an idle
// machine costs nothing.
//
// Kernel: Linux 5.8 or newer (BPF ring buffer; mmapable maps 5.5, raw
// tracepoints 4.17), CONFIG_BPF_EVENTS, CAP_BPF and CAP_PERFMON or
// CAP_SYS_ADMIN. tracefs is wanted for one thing only: from 6.9 on, and in later
// stable releases of older kernels, the raw mark_victim tracepoint carries a
// task instead of a pid, and the pid is then read from the formatted event,
// whose layout the kernel tells in tracefs.
//
// What it does not see: reclaim for a cgroup's own limit
// (mm_vmscan_memcg_reclaim_begin), which is that cgroup's memory.pressure;
// tasks that are throttled before direct reclaim begins; and, until kswapd's
// next round, a kswapd that was awake before Open. The package starts no
// goroutine and no timer, kills nothing, and judges nothing.
package memevent
