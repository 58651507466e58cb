package victim

// Shortlist keeps, of a stream of processes in phase one, the few that can
// still win: the best by class and by upper bound. A process that does not fit
// is forgotten but for the mark that it leaves in Cut.
type Shortlist struct {
	pol     *Policy
	q       Query
	after   *Process
	heap    []Process // a heap whose root is the least likely to win
	limit   int
	dropped bool
	cut     Process
	Seen    int     // processes offered
	Refused [16]int // of them refused, by Exclusion
}

// NewShortlist makes a list of at most limit processes.
func NewShortlist(limit int) *Shortlist {
	return &Shortlist{heap: make([]Process, 0, limit), limit: limit}
}

// Reset begins a new stream for q. With after not nil, only processes that
// rank behind it by phase one's figures are kept: the next page.
func (s *Shortlist) Reset(pol *Policy, q Query, after *Process) {
	s.pol, s.q, s.after = pol, q, after
	s.heap, s.dropped, s.Seen = s.heap[:0], false, 0
	s.Refused = [16]int{}
}

// Offer looks at one process of phase one and keeps a copy if it can still win.
func (s *Shortlist) Offer(p *Process) {
	s.Seen++
	if why := s.pol.Excluded(&s.q, p); why != Eligible {
		s.Refused[why]++
		return
	}
	if s.after != nil && !s.before(s.after, p) {
		return
	}
	if len(s.heap) < s.limit {
		s.heap = append(s.heap, *p)
		s.up(len(s.heap) - 1)
		return
	}
	if s.before(p, &s.heap[0]) {
		s.drop(&s.heap[0])
		s.heap[0] = *p
		s.down(0, len(s.heap))
		return
	}
	s.drop(p)
}

// drop remembers the best process that did not fit.
func (s *Shortlist) drop(p *Process) {
	if !s.dropped || s.before(p, &s.cut) {
		s.cut, s.dropped = *p, true
	}
}

// Cut gives the best process that was forgotten, nil when none was.
func (s *Shortlist) Cut() *Process {
	if !s.dropped {
		return nil
	}
	return &s.cut
}

// Sorted gives the kept processes, the likeliest first. The slice is valid
// until the next Reset; the caller may fill in phase two's fields.
func (s *Shortlist) Sorted() []Process {
	for end := len(s.heap) - 1; end > 0; end-- {
		s.heap[0], s.heap[end] = s.heap[end], s.heap[0]
		s.down(0, end)
	}
	return s.heap
}

// CanStillWin tells whether p, known by phase one alone, could rank before
// best, whose phase two is known. What phase one does not know, when p started,
// is taken in its favour.
func (pol *Policy) CanStillWin(q *Query, p, best *Process) bool {
	for _, compare := range [...]func(*Policy, *Query, *Process, *Process) int{worth, rule, registered, class, adj, turn, gain} {
		if c := compare(pol, q, p, best); c != 0 {
			return c < 0
		}
	}
	return true
}

// before tells whether a is likelier to win than b.
func (s *Shortlist) before(a, b *Process) bool {
	c, _ := s.pol.Compare(&s.q, a, b)
	return c < 0
}

// up and down keep the least likely at the root.
func (s *Shortlist) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !s.before(&s.heap[parent], &s.heap[i]) {
			return
		}
		s.heap[parent], s.heap[i] = s.heap[i], s.heap[parent]
		i = parent
	}
}

func (s *Shortlist) down(i, end int) {
	for {
		child := 2*i + 1
		if child >= end {
			return
		}
		if child+1 < end && s.before(&s.heap[child], &s.heap[child+1]) {
			child++
		}
		if !s.before(&s.heap[i], &s.heap[child]) {
			return
		}
		s.heap[i], s.heap[child] = s.heap[child], s.heap[i]
		i = child
	}
}
