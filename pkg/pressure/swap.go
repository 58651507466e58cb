package pressure

const (
	// leastStored is how much zram must hold before its cost is believed: of a
	// few pages the allocator's own overhead is all that shows.
	leastStored = 4 << 20
	// overhead is what the allocator of zram adds to what it stores, in percent:
	// 6 was measured with pages that compress to a half.
	overhead = 6
	// assumedCost is what is taken until then, in percent: lz4 and zstd halve
	// ordinary anonymous memory at least.
	assumedCost = 50
)

// effectiveSwapFree is the free swap that can really be filled, in bytes.
func effectiveSwapFree(p *Policy, s *Sample) uint64 {
	m := &s.Memory
	switch {
	case p.SwapMeasured:
		return measuredSwapFree(s)
	case p.SwapCompressionRatio == 0:
		return m.SwapFree
	}
	ratio, div := uint64(p.SwapCompressionRatio), uint64(max(p.SwapCompressionRatioDiv, 1))
	return min(m.SwapFree, easy(p, m, ratio, div)*ratio/div)
}

// easy is the memory that Android lets swap in RAM be filled from: what is free
// or nearly so; relaxed, the whole clean file cache and what swapping the
// anonymous memory out would gain.
func easy(p *Policy, m *Memory, ratio, div uint64) uint64 {
	if !p.RelaxedAvailableMemory {
		return m.Free + m.InactiveFile
	}
	cache := m.ActiveFile + m.InactiveFile
	gain := (m.ActiveAnon + m.InactiveAnon) / ratio * (ratio - min(div, ratio))
	return m.Free + cache - min(cache, m.Dirty) + gain
}

// measuredSwapFree takes off what the free part of zram will cost in RAM when
// it is filled, and what a mem_limit does not let it take at all. Swap on disks stands as it is, with zswap before it too: what
// does not fit into zswap's pool is written behind it.
func measuredSwapFree(s *Sample) uint64 {
	free := s.Memory.SwapFree
	inZram := min(s.Zram.Size-min(s.Zram.Size, s.Zram.Used), free)
	cost := zramCost(s)
	filled := inZram
	if s.Zram.Limited && cost > 0 {
		filled = min(inZram, s.Zram.Room/uint64(cost)*100)
	}
	return free - inZram + filled - share(filled, cost)
}

// zramCost is what the next page in zram takes of RAM, in percent of a page; 0
// without zram. It goes by what compression gives and not by all the memory that
// zram holds: when pages are swapped in again their room stays with the
// allocator, for the next ones, and the sum tells ever more per page stored. What
// does not compress costs a page.
func zramCost(s *Sample) int {
	z := &s.Zram
	switch {
	case z.Size == 0:
		return 0
	case z.Original < leastStored:
		return assumedCost
	}
	return int(min(z.Compressed*(100+overhead)/z.Original, 100))
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
