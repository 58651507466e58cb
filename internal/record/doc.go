// Package record is the flight recorder: every step of the engine, its input
// whole and its output whole, kept in a ring before anything is done about it.
//
// The loop appends: no allocation, no lock, no system call. One goroutine
// publishes what was appended to sinks: the trace (JSON lines that Replay runs
// through the same engine.Step), the log, the metrics. The package never waits
// for a reader and never decides anything.
package record
