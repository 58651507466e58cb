// Package kill carries out one kill: a signal through a pidfd that was checked
// to be the chosen process (pidfd_send_signal(2), Linux 5.1), then its memory
// back at once in a worker's time (process_mrelease(2), Linux 5.15).
//
// It never picks a victim, never signals a pid, and never reclaims in the
// caller's thread unless it is asked to. The wait for the victim's end belongs
// to whoever holds the pidfd.
package kill
