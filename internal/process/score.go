package process

// machine is what turns an oom_score into memory, in pages.
type machine struct {
	total    uint64 // RAM and swap together
	swapUsed uint64 // of all processes: no one can have more
	slack    uint64 // by how much the kernel's own sum may be too low
}

// coarse reports whether the swap in use is so little that a step of oom_score
// says less about a process than its size does.
func (m *machine) coarse() bool { return m.swapUsed <= 2*m.total/1000+m.slack }

// memoryPages gives how much a process has at most, resident and swapped out,
// from what the kernel's badness says of it (mm/oom_kill.c, oom_badness;
// fs/proc/base.c, proc_oom_score; Linux 5.9 and newer):
//
//	badness = rss + swap + page tables + adj * (total / 1000), in pages
//	oom_score = (1000 + badness * 1000 / total) * 2 / 3
//
// Both divisions cut, so that a score stands for a range of some 1.5 thousandths
// of total; this is its upper end, never below the truth. A score of 0 says
// nothing (no memory, adj -1000, being a child of vfork, or marked by the OOM
// killer), and neither does one that does not fit the formula: then ok is false.
func (m *machine) memoryPages(score uint64, adj int16) (pages uint64, ok bool) {
	total := int64(m.total)
	thousandths := (3*int64(score)+2)/2 - 1000 // the largest with this score
	badness := thousandths * total / 1000
	if thousandths >= 0 {
		badness = ((thousandths+1)*total - 1) / 1000
	}
	points := badness - int64(adj)*(total/1000)
	if score == 0 || points < 0 {
		return 0, false
	}
	return uint64(points) + m.slack, true
}

// slackPages is how far the kernel's counters of one address space may be
// behind the truth when it sums them quickly (lib/percpu_counter.c, since Linux
// 6.2): less than a batch on each CPU for each of the four kinds of pages.
func slackPages(cpus int) uint64 {
	batch := max(32, 2*cpus)
	return uint64(4 * batch * cpus)
}
