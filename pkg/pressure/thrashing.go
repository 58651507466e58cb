package pressure

import "math"

// restart begins a new window with nothing carried.
func (st *State) restart(p *Policy, s *Sample) {
	st.window(p, s)
	st.carried = 0
	if st.limit == 0 {
		st.limit = p.ThrashingLimit
	}
}

func (st *State) window(p *Policy, s *Sample) {
	st.windowStart = s.At
	st.baseRefault = s.Counters.Refault
	st.baseFileLRU = s.Counters.FileLRU
	st.baseMapped = mappedFaults(&s.Counters)
}

// thrashing gives the refaults of the window in percent of the file LRU at its
// start, and the limit to compare with. Inside a window what was carried over
// counts too; past its end the window's own figure is carried, halved for each
// window that went by, but kept whole after a single one that reached the
// limit, so that a kill is tried again when a candidate appears. A new window has
// the whole limit again.
func (st *State) thrashing(p *Policy, s *Sample) (percent, limit int) {
	percent = refaulted(st.pagesBack(p, &s.Counters), st.baseFileLRU)
	passed := s.At - st.windowStart
	if passed <= p.ThrashingWindow || p.ThrashingWindow <= 0 {
		return percent + st.carried, st.limit
	}
	st.carried = percent
	if n := int64(passed / p.ThrashingWindow); n > 1 || st.carried < st.limit {
		st.carried = halve(st.carried, n)
	}
	st.window(p, s)
	st.limit = p.ThrashingLimit
	return st.carried, st.limit
}

// pagesBack are the pages of the window that count: those that came back, or, of
// a policy that asks what tasks waited for, no more than their faults can have
// brought and no fewer than the faults. Of a page that was evicted long ago the
// kernel knows no more that it was: it frees its notes first when memory is short.
func (st *State) pagesBack(p *Policy, c *Counters) uint64 {
	back := since(st.baseRefault, c.Refault)
	if p.ThrashingMapped {
		faults := since(st.baseMapped, mappedFaults(c))
		back = max(min(back, faultAround*faults), faults)
	}
	return back
}

// faultAround is how many pages of a file one fault reads, with the readahead
// of 128KiB that is the kernel's default.
const faultAround = 32

// mappedFaults are the faults that waited for a page of a file: not those for
// swapped pages, as far as the counters tell them apart.
func mappedFaults(c *Counters) uint64 { return since(c.SwapIn, c.MajorFaults) }

// since is what a counter grew by; one that fell back tells nothing.
func since(then, now uint64) uint64 { return now - min(then, now) }

func refaulted(pages, fileLRU uint64) int {
	return int(min(pages*100/(fileLRU+1), math.MaxInt32))
}

func halve(v int, times int64) int {
	if times >= 64 {
		return 0
	}
	return v >> times
}
