// Package kill carries out a kill: a signal through a pidfd that was checked
// to be the chosen process (pidfd_send_signal(2), Linux 5.1), its memory back
// at once in a worker's time (process_mrelease(2), Linux 5.15), what slows its
// death lifted (sched_setattr(2), the cgroup's freezer and quota), and the wait
// until it is gone. A cgroup is killed by cgroup.kill (Linux 5.14), a tree or
// an older kernel's cgroup one pidfd at a time.
//
// The steps can be used alone or as one: Open, then Signal, Reap and Wait on
// the Victim; or Kill. A loop that may not block hands the reclaim to Reapers.
//
// It never picks a victim, never signals a pid, and never reclaims in the
// caller's thread unless it is asked to.
package kill
