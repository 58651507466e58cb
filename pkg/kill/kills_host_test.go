//go:build !vm

package kill_test

const kills = 10_000 // of TestTenThousandKills

const emulated = false
