//go:build !race

package kill_test

const underRace = false
