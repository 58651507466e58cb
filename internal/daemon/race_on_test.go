//go:build race

package daemon

// The race detector allocates in every system call wrapper.
const underRace = true
