// Package process turns /proc, under a root, into victim.Process, for one
// choice: two cheap files of every process (statm and oom_score_adj, or with
// much in swap oom_score_adj and oom_score), then the dear ones (stat, status,
// cgroup, and cmdline when asked for) of the few that can still win.
//
// It keeps one descriptor of /proc and allocates nothing for a process. A
// process that vanishes under its hands is an outcome and no error. It judges
// nobody: who can still win is victim.Policy's word. It never reads a file
// that walks page tables (smaps, smaps_rollup), and sends no signal.
package process
