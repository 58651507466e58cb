//go:build !race

package exitwait

const raceEnabled = false
