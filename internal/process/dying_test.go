package process

import (
	"testing"

	"github.com/lmkd/lmkd/pkg/victim"
)

// Whoever is dying with much memory is among the candidates, also when it could
// not have won: below the bar, or behind a process of a class that goes first.
func TestDyingAreFound(t *testing.T) {
	const killed = "ShdPnd:\t0000000000000100\n"
	tasks := []task{
		{pid: 10, adj: 950, anon: 30},
		{pid: 11, adj: -1000, anon: 200, extra: killed},
		{pid: 12, adj: 0, anon: 150, extra: killed},
		{pid: 13, adj: 0, anon: 8, extra: killed},
		{pid: 14, adj: 0, anon: 6, extra: killed},
	}
	for i := range 12 { // more at 950 than an explanation shows
		tasks = append(tasks, task{pid: 20 + i, adj: 950, anon: 20})
	}
	table := open(t, build(t, tasks...), Options{})
	policy := victim.Policy{Bands: []int16{900, 0}, MinGain: 10 * mib}
	ask := Ask{Policy: &policy, RAM: 512 * mib}
	ask.Query.Shun.Add(victim.Identity{PID: 13, StartTime: 1013})
	for _, c := range []struct {
		dying bool
		want  map[int32]bool
	}{
		{true, map[int32]bool{11: true, 12: true, 13: true}},
		{false, map[int32]bool{}},
	} {
		ask.Dying = c.dying
		found, _, err := table.Candidates(ask)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[int32]bool{}
		for i := range found {
			if found[i].Is(victim.Dying) && found[i].RssAnon > 0 {
				seen[found[i].PID] = true
			}
		}
		for pid := int32(10); pid < 20; pid++ {
			if seen[pid] != c.want[pid] {
				t.Errorf("dying asked for %v: pid %d is found %v", c.dying, pid, seen[pid])
			}
		}
	}
}
