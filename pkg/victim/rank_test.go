package victim

import (
	"math/rand"
	"testing"
)

// randomMachine makes n processes with many ties in every comparison.
func randomMachine(r *rand.Rand, n int) []Process {
	table := make([]Process, n)
	for i := range table {
		p := &table[i]
		p.PID, p.Flag = int32(i+2), Detailed
		p.Adj = []int16{-1000, -500, 0, 0, 0, 300, 900, 950}[r.Intn(8)]
		p.RssAnon, p.Swap = uint64(r.Intn(5))<<20, uint64(r.Intn(2))<<20
		p.RssShmem, p.RssFile = uint64(r.Intn(2))<<20, uint64(r.Intn(3))<<20
		p.RSS, p.SwapHint = p.RssAnon+p.RssFile+p.RssShmem, p.Swap
		p.StartTime = uint64(r.Intn(4))
		if r.Intn(3) == 0 {
			p.Flag, p.Turn = p.Flag|Registered, uint64(i+1)
		}
		if r.Intn(10) == 0 {
			p.Flag |= []Flag{Kernel, Own, Dying, Zombie, Vanished, Unregistered}[r.Intn(6)]
		}
	}
	return table
}

func randomPolicy(r *rand.Rand) Policy {
	return Policy{
		Bands:   [][]int16{nil, {900, 0}, {900, 300, 0}}[r.Intn(3)],
		MinGain: uint64(r.Intn(4)) << 20,
		Roll:    RollUses()[r.Intn(4)], KillHeaviest: r.Intn(4) == 0,
	}
}

func randomQuery(r *rand.Rand) Query {
	q := Query{MinAdj: []int16{-999, 0, 201}[r.Intn(3)], CountFile: r.Intn(2) == 0}
	q.Shun.Add(Identity{int32(r.Intn(20)), uint64(r.Intn(4))})
	return q
}

// phaseOne is what the scan knows of p before its details are read.
func phaseOne(p *Process) Process {
	return Process{PID: p.PID, Adj: p.Adj, RSS: p.RSS, SwapHint: p.SwapHint, Flag: p.Flag & (Kernel | Own | Registered), Turn: p.Turn}
}

// TestRankIgnoresTheTablesOrder: a shuffled table has the same ranking, whole,
// and each place stands where its comparison with the one before says.
func TestRankIgnoresTheTablesOrder(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	for range 500 {
		pol, q, table := randomPolicy(r), randomQuery(r), randomMachine(r, 20)
		var a, b Ranking
		pol.Rank(&q, table, &a)
		checkOrder(t, &pol, &q, table, &a)
		shuffled := append([]Process(nil), table...)
		r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		pol.Rank(&q, shuffled, &b)
		if a.Eligible != b.Eligible {
			t.Fatalf("%d eligible, shuffled %d", a.Eligible, b.Eligible)
		}
		for i := range a.Places[:a.Eligible] {
			if x, y := table[a.Places[i].Index].PID, shuffled[b.Places[i].Index].PID; x != y {
				t.Fatalf("place %d: pid %d, shuffled %d", i, x, y)
			}
		}
	}
}

func checkOrder(t *testing.T, pol *Policy, q *Query, table []Process, r *Ranking) {
	t.Helper()
	if len(r.Places) != len(table) {
		t.Fatalf("%d places for %d processes", len(r.Places), len(table))
	}
	for i := range r.Places {
		p := &r.Places[i]
		if (i < r.Eligible) != (p.Excluded == Eligible) || p.Excluded != pol.Excluded(q, &table[p.Index]) {
			t.Fatalf("place %d of %d eligible: %v", i, r.Eligible, p.Excluded)
		}
		if i == 0 || i >= r.Eligible {
			continue
		}
		c, by := pol.Compare(q, &table[r.Places[i-1].Index], &table[p.Index])
		if c >= 0 || by != p.By || by == NoComparison {
			t.Fatalf("place %d: order %d by %d, said %d", i, c, by, p.By)
		}
	}
}

// TestExcludedAreNeverChosen: invariant 4, over random machines.
func TestExcludedAreNeverChosen(t *testing.T) {
	r := rand.New(rand.NewSource(2))
	for range 2000 {
		pol, q, table := randomPolicy(r), randomQuery(r), randomMachine(r, 6)
		table[r.Intn(len(table))].PID = 1
		var rank Ranking
		pol.Rank(&q, table, &rank)
		index, ok := rank.Winner()
		if !ok {
			continue
		}
		p := &table[index]
		if p.PID == 1 || p.Flag&(Kernel|Own|Dying|Zombie|Vanished|Unregistered) != 0 || p.Adj == -1000 || p.Adj < q.MinAdj || q.Shun.Has(p) {
			t.Fatalf("chosen: %+v", *p)
		}
	}
}

// TestShortlistKeepsTheWinner: whoever wins with everything known is on the
// list, or the best that did not fit is said to be able to win still.
func TestShortlistKeepsTheWinner(t *testing.T) {
	r := rand.New(rand.NewSource(3))
	paged := 0
	for range 5000 {
		pol, q, table := randomPolicy(r), randomQuery(r), randomMachine(r, 15)
		var rank Ranking
		pol.Rank(&q, table, &rank)
		index, ok := rank.Winner()
		if !ok {
			continue
		}
		winner := &table[index]
		s := NewShortlist(1 + r.Intn(6))
		s.Reset(&pol, q, nil)
		for i := range table {
			one := phaseOne(&table[i])
			s.Offer(&one)
		}
		best, kept := finish(&pol, &q, table, s.Sorted(), winner.PID)
		if kept {
			continue
		}
		paged++
		if cut := s.Cut(); cut == nil || best != nil && !pol.CanStillWin(&q, cut, best) {
			t.Fatalf("the winner %d was forgotten: %+v; cut %+v", winner.PID, *winner, cut)
		}
	}
	if paged == 0 {
		t.Error("no list was ever too short: the test shows nothing")
	}
}

// finish is phase two: the best of the kept, and whether the winner is there.
func finish(pol *Policy, q *Query, table, kept []Process, winner int32) (best *Process, found bool) {
	for i := range kept {
		for j := range table {
			p := &table[j]
			if p.PID != kept[i].PID || pol.Excluded(q, p) != Eligible {
				continue
			}
			found = found || p.PID == winner
			if best == nil {
				best = p
			} else if c, _ := pol.Compare(q, p, best); c < 0 {
				best = p
			}
		}
	}
	return best, found
}

// TestShortlistPages: page after page, everybody is seen once, in order.
func TestShortlistPages(t *testing.T) {
	r := rand.New(rand.NewSource(4))
	pol, q, table := randomPolicy(r), Query{MinAdj: -999}, randomMachine(r, 50)
	s := NewShortlist(7)
	var after *Process
	var last Process
	seen := 0
	for {
		s.Reset(&pol, q, after)
		for i := range table {
			one := phaseOne(&table[i])
			s.Offer(&one)
		}
		page := s.Sorted()
		for i := range page {
			if c, _ := pol.Compare(&q, &last, &page[i]); seen > 0 && c >= 0 {
				t.Fatalf("%d after %d", page[i].PID, last.PID)
			}
			last = page[i]
			seen++
		}
		if s.Cut() == nil {
			break
		}
		cursor := last
		after = &cursor
	}
	want := 0
	for i := range table {
		one := phaseOne(&table[i])
		if pol.Excluded(&q, &one) == Eligible {
			want++
		}
	}
	if seen != want {
		t.Errorf("%d seen in all pages, want %d", seen, want)
	}
}

func TestNothingAllocates(t *testing.T) {
	r := rand.New(rand.NewSource(5))
	pol, q, table := Policy{Bands: []int16{900, 0}, MinGain: 10 << 20, Never: []string{"sshd"}}, Query{}, randomMachine(r, 64)
	rank := Ranking{Places: make([]Place, 0, len(table))}
	s := NewShortlist(16)
	n := testing.AllocsPerRun(100, func() {
		s.Reset(&pol, q, nil)
		for i := range table {
			s.Offer(&table[i])
		}
		s.Sorted()
		pol.Rank(&q, table, &rank)
	})
	if n != 0 {
		t.Errorf("%v allocations a choice", n)
	}
}

func BenchmarkRank(b *testing.B) {
	pol, q, table := Policy{Bands: []int16{900, 0}, MinGain: 1 << 20}, Query{}, randomMachine(rand.New(rand.NewSource(6)), 32)
	rank := Ranking{Places: make([]Place, 0, len(table))}
	b.ReportAllocs()
	for b.Loop() {
		pol.Rank(&q, table, &rank)
	}
}

func BenchmarkShortlist(b *testing.B) {
	pol, q, table := Policy{Bands: []int16{900, 0}, MinGain: 1 << 20}, Query{}, randomMachine(rand.New(rand.NewSource(7)), 1000)
	s := NewShortlist(32)
	b.ReportAllocs()
	for b.Loop() {
		s.Reset(&pol, q, nil)
		for i := range table {
			s.Offer(&table[i])
		}
		s.Sorted()
	}
}

func TestWords(t *testing.T) {
	for e := Eligible; e <= IsUnregistered; e++ {
		if e.String() == "" {
			t.Errorf("exclusion %d has no words", e)
		}
	}
	for c := NoComparison; c <= ByTurn; c++ {
		if c.String() == "" {
			t.Errorf("comparison %d has no words", c)
		}
	}
}
