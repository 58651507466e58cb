package pressure

// effectiveSwapFree is the free swap that can really be filled: with swap in
// RAM, what is written there needs memory itself, ratio over div less of it.
func effectiveSwapFree(p *Policy, m *Memory) uint64 {
	if p.SwapCompressionRatio == 0 {
		return m.SwapFree
	}
	easy := m.Free + m.InactiveFile
	ratio, div := uint64(p.SwapCompressionRatio), uint64(max(p.SwapCompressionRatioDiv, 1))
	return min(m.SwapFree, easy*ratio/div)
}

// swapUtil is the share of all anonymous memory that is swapped out, in percent.
func swapUtil(m *Memory, free uint64) int {
	used := m.SwapTotal - min(m.SwapTotal, free)
	all := m.ActiveAnon + m.InactiveAnon + m.Shmem + used
	if all == 0 {
		return 0
	}
	return int(used * 100 / all)
}
