//go:build vm

package kill_test

const kills = 1_000 // of TestTenThousandKills: an emulated guest takes 20 ms for each

const emulated = true
