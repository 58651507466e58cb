//go:build race

package exitwait

// raceEnabled is true under the race detector, whose own bookkeeping
// allocates.
const raceEnabled = true
