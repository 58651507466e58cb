//go:build race

package kill_test

// The race detector allocates in every system call wrapper.
const underRace = true
