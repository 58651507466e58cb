// Package record is the flight recorder: every step of the engine, its input
// whole and its output whole, kept in a ring before anything is done about it.
//
// The loop appends: no allocation, no lock, no system call. One goroutine
// publishes what was appended to sinks: the trace, the log, the metrics. The
// package never waits for a reader and never decides anything.
//
// # The trace
//
// A trace is lines of JSON. The first is the Header, with the format's version
// and the policy of every domain; each other one is a step: the input, and under
// "out" what engine.Step gave. Sizes are bytes, times and durations nanoseconds
// of CLOCK_MONOTONIC, counters what the kernel counts; what is zero is left out.
// Inputs, actions, notes, reasons and levels stand by name. Numbers are: source
// (1 psi, 2 kswapd, 4 direct reclaim, 8 the OOM killer, 16 vmpressure), has and flag (bits of
// pressure.Has and victim.Flag), mark, excluded and by (the constants of
// pressure.Mark, victim.Exclusion and victim.Comparison), cut (Cut). A name of
// the kernel's that is no UTF-8 has its bytes as \xNN, and a backslash as two.
//
// A step with "lost" follows that many that were overwritten, and one with "cut"
// lacks a part: neither can be replayed. A last line without its newline is what
// a writer leaves behind that was killed.
package record
