// Package metrics shows what the daemon saw and did as Prometheus metrics, over
// HTTP on a TCP port or a unix socket, and nowhere unless it is told where.
//
// It is fed with the engine's inputs and outputs by the goroutine that empties
// the flight recorder, never by the loop: a scrape cannot hold up a kill. Values
// are those of the last judgement; a scrape reads no file but the process's own
// /proc/self. What the kernel does not tell has no series, which is not zero.
package metrics
