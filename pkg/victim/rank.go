package victim

import "cmp"

// Comparison names what decided between two neighbours of a ranking.
type Comparison uint8

// The comparisons in the order in which they are tried.
const (
	NoComparison   Comparison = iota
	ByWorth                   // one gives back enough for its class to count
	ByRule                    // a rule that says first or last
	ByClass                   // the class of oom_score_adj
	ByGain                    // what a kill gives back
	ByGrowth                  // what of it came in this episode
	ByYouth                   // the later start
	ByPID                     // the higher pid
	ByRegistration            // a client registered one of them
	ByAdj                     // of two that clients registered, the higher oom_score_adj
	ByTurn                    // the same oom_score_adj, given longer ago
	ByPart                    // what of a unit's gain is its own
)

var comparisonText = [...]string{
	NoComparison: "it is first",
	ByWorth:      "it gives back too little for its class to count",
	ByRule:       "a rule puts it behind",
	ByClass:      "its oom_score_adj is of a later class",
	ByGain:       "it gives back less",
	ByGrowth:     "it has grown less",
	ByYouth:      "it started earlier",
	ByPID:        "its pid is lower",

	ByRegistration: "no client registered it",
	ByAdj:          "its oom_score_adj is lower",
	ByTurn:         "it was given this oom_score_adj later",
	ByPart:         "it has less of what dies with it",
}

func (c Comparison) String() string { return comparisonText[c] }

// order is the whole order as a sentence: worth, then rule, then registration,
// then class, then for registered ones Android's lists, then gain with growth,
// then youth, then pid. Each gives -1 when a goes before b.
var order = [...]struct {
	by      Comparison
	compare func(pol *Policy, q *Query, a, b *Process) int
}{
	{ByWorth, worth},
	{ByRule, rule},
	{ByRegistration, registered},
	{ByClass, class},
	{ByAdj, adj},
	{ByTurn, turn},
	{ByGain, gain},
	{ByPart, part},
	{ByYouth, youth},
	{ByPID, pid},
}

func worth(pol *Policy, q *Query, a, b *Process) int {
	return -compareBool(q.Gain(a) >= pol.MinGain, q.Gain(b) >= pol.MinGain)
}

// places are the effects in the order of dying.
var places = [...]int8{First: 0, Usual: 1, Last: 2, Never: 3}

func rule(_ *Policy, _ *Query, a, b *Process) int {
	return cmp.Compare(places[a.Effect], places[b.Effect])
}

func class(pol *Policy, _ *Query, a, b *Process) int {
	return cmp.Compare(pol.Class(a.Standing()), pol.Class(b.Standing()))
}

func gain(pol *Policy, q *Query, a, b *Process) int {
	return -cmp.Compare(pol.weight(q, a), pol.weight(q, b))
}

// part puts the largest of a unit before its others.
func part(_ *Policy, q *Query, a, b *Process) int {
	if a.Members == 0 || b.Members == 0 {
		return 0
	}
	return -cmp.Compare(q.Gain(a)-a.company(), q.Gain(b)-b.company())
}

func youth(_ *Policy, _ *Query, a, b *Process) int {
	return -cmp.Compare(a.StartTime, b.StartTime)
}

func pid(_ *Policy, _ *Query, a, b *Process) int { return -cmp.Compare(a.PID, b.PID) }

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// Compare tells which of two eligible processes dies first, -1 for a, and which
// comparison decided.
func (pol *Policy) Compare(q *Query, a, b *Process) (int, Comparison) {
	for i := range order {
		if c := order[i].compare(pol, q, a, b); c != 0 {
			return c, pol.because(q, order[i].by, a, b)
		}
	}
	return 0, NoComparison
}

// because tells whether it was what b gives back that decided, or that it has
// grown less: its gain alone would have put it first.
func (pol *Policy) because(q *Query, by Comparison, a, b *Process) Comparison {
	if by == ByGain && cmp.Compare(q.Gain(a), q.Gain(b))*-gain(pol, q, a, b) <= 0 {
		return ByGrowth
	}
	return by
}

// Place is one line of a ranking.
type Place struct {
	Index    int        // into the table that was ranked
	Excluded Exclusion  // Eligible, or why it can not be chosen
	Gain     uint64     // bytes that a kill is expected to give back
	By       Comparison // why it stands below the place before it
}

// Ranking is a table in the order of dying: the eligible first, then those
// that can not be chosen, in the order of the table.
type Ranking struct {
	Places   []Place
	Eligible int
}

// Winner gives the index of the process to kill, false when nobody qualifies.
func (r *Ranking) Winner() (int, bool) {
	if r.Eligible == 0 {
		return 0, false
	}
	return r.Places[0].Index, true
}

// Rank orders table for q and leaves the result in r, whose memory it reuses.
func (pol *Policy) Rank(q *Query, table []Process, r *Ranking) {
	r.Places, r.Eligible = r.Places[:0], 0
	for i := range table {
		p := &table[i]
		if pol.Excluded(q, p) != Eligible {
			continue
		}
		r.Places = append(r.Places, Place{Index: i, Gain: q.Gain(p)})
		pol.sink(q, table, r.Places)
	}
	r.Eligible = len(r.Places)
	for i := 1; i < r.Eligible; i++ {
		a, b := &table[r.Places[i-1].Index], &table[r.Places[i].Index]
		_, r.Places[i].By = pol.Compare(q, a, b)
	}
	for i := range table {
		if why := pol.Excluded(q, &table[i]); why != Eligible {
			r.Places = append(r.Places, Place{Index: i, Excluded: why, Gain: q.Gain(&table[i])})
		}
	}
}

// sink moves the last place up to where it belongs; finalists are few, and an
// insertion allocates nothing.
func (pol *Policy) sink(q *Query, table []Process, places []Place) {
	for i := len(places) - 1; i > 0; i-- {
		c, _ := pol.Compare(q, &table[places[i].Index], &table[places[i-1].Index])
		if c >= 0 {
			return
		}
		places[i], places[i-1] = places[i-1], places[i]
	}
}
