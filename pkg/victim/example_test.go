package victim_test

import (
	"fmt"

	"github.com/lmkd/lmkd/pkg/victim"
)

func ExamplePolicy_Rank() {
	policy := victim.Policy{Bands: []int16{900, 0}, MinGain: 10 << 20}
	table := make([]victim.Process, 3)
	for i, p := range []struct {
		name string
		adj  int16
		anon uint64
	}{{"editor", 0, 40 << 20}, {"leak", 0, 900 << 20}, {"sshd", -1000, 6 << 20}} {
		table[i] = victim.Process{PID: int32(100 + i), Adj: p.adj, RssAnon: p.anon, RSS: p.anon, Flag: victim.Detailed}
		table[i].SetName([]byte(p.name))
	}
	var ranking victim.Ranking
	policy.Rank(&victim.Query{MinAdj: 0}, table, &ranking)
	if winner, ok := ranking.Winner(); ok {
		fmt.Println("the victim is", table[winner].Name())
	}
	for _, line := range ranking.Explain(&policy, table) {
		fmt.Println(line)
	}
	// Output:
	// the victim is leak
	// 1. 'leak' (101), oom_score_adj 0, gives back 900MiB
	// 2. 'editor' (100), oom_score_adj 0, gives back 40.0MiB; it gives back less
	// never: 'sshd' (102), oom_score_adj -1000; its oom_score_adj is -1000
}

func ExampleQuote() {
	fmt.Println(victim.Quote([]byte("a\nb'c\xff")))
	// Output: 'a\x0ab\'c\xff'
}
