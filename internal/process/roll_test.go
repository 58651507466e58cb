package process

import (
	"testing"
	"time"

	"github.com/lmkd/lmkd/pkg/victim"
)

// apps is a machine on which a client registered some: tasks start at 1000 and
// their pid.
func apps(t *testing.T) string {
	return build(t,
		task{pid: 1, anon: 900, name: "init"},
		task{pid: 10, anon: 50, adj: 900, name: "tail"},
		task{pid: 11, anon: 300, adj: 900, name: "head"},
		task{pid: 12, anon: 90, adj: 100, name: "visible"},
		task{pid: 13, anon: 800, adj: 900, name: "reused"},
		task{pid: 14, anon: 60, adj: -1000, name: "native"},
		task{pid: 20, anon: 700, adj: 1000, name: "stranger"},
	)
}

func member(pid int32, adj int16, turn uint64) victim.Registration {
	return victim.Registration{PID: pid, StartTime: 1000 + uint64(pid), Adj: adj, Turn: turn}
}

func roll() *victim.Roll {
	reused := member(13, 900, 1)
	reused.StartTime--
	return &victim.Roll{Members: []victim.Registration{
		member(10, 900, 2), member(11, 900, 3), member(12, 100, 4), reused, member(14, 950, 5), member(99, 950, 6),
	}}
}

func asked(use victim.RollUse, r *victim.Roll) Ask {
	ask := linux()
	ask.Policy.Roll, ask.Roll = use, r
	return ask
}

func names(found []victim.Process, flag victim.Flag) (out string) {
	for i := range found {
		if found[i].Is(flag) {
			out += " " + found[i].Name()
		}
	}
	return out
}

func TestOnlyRegisteredProcessesAreCandidates(t *testing.T) {
	table := open(t, apps(t), Options{})
	ask := asked(victim.RollOnly, roll())
	found, stats := choose(t, table, ask)
	if got := winner(found, ask); got != 10 {
		t.Errorf("winner %d, want the tail", got)
	}
	if stats.Seen != 6 || stats.Vanished != 1 {
		t.Errorf("%+v: six are registered, and one of them is gone", stats)
	}
	if got := names(found, victim.Registered); got != " tail head visible" {
		t.Errorf("registered:%s", got)
	}
	if got := names(found, victim.Unregistered); got != " reused" {
		t.Errorf("not registered:%s", got)
	}
}

// The kernel's -1000 stands whatever a client says, and so does the bar.
func TestRegistrationDoesNotOutrankTheKernel(t *testing.T) {
	table := open(t, apps(t), Options{})
	ask := asked(victim.RollOnly, &victim.Roll{Members: []victim.Registration{member(12, 100, 4), member(14, 950, 5)}})
	ask.Query.MinAdj = 201
	if found, _ := choose(t, table, ask); winner(found, ask) != 0 {
		t.Errorf("winner %d, want nobody", winner(found, ask))
	}
}

// Until the first registration everybody is a candidate.
func TestNobodyEverRegistered(t *testing.T) {
	table := open(t, apps(t), Options{})
	ask := asked(victim.RollOnly, nil)
	if found, _ := choose(t, table, ask); winner(found, ask) != 20 && winner(found, ask) != 13 {
		t.Errorf("winner %d", winner(found, ask))
	}
	ask.Roll = &victim.Roll{}
	if found, _ := choose(t, table, ask); winner(found, ask) != 0 {
		t.Errorf("winner %d after everybody was removed, want nobody", winner(found, ask))
	}
}

func TestRegisteredBesideScanned(t *testing.T) {
	table := open(t, apps(t), Options{})
	for _, tt := range []struct {
		use    victim.RollUse
		kernel bool
		adj    int16 // of visible, by its client
		want   int32
	}{
		{victim.RollFirst, false, 100, 10},
		{victim.RollFirst, false, 1000, 12},
		{victim.RollFirst, true, 1000, 10},   // the kernel has it at 100
		{victim.RollBeside, false, 1000, 13}, // the largest of those at 900 and above
		{victim.RollOff, false, 1000, 13},
	} {
		r := roll()
		r.Members[2].Adj = tt.adj
		ask := asked(tt.use, r)
		ask.Policy.RollKernel = tt.kernel
		found, _ := choose(t, table, ask)
		if got := winner(found, ask); got != tt.want {
			t.Errorf("%v, kernel %v, adj %d: winner %d, want %d", tt.use, tt.kernel, tt.adj, got, tt.want)
		}
		for i := range found {
			if p := &found[i]; p.PID == 13 && (p.Is(victim.Registered) || p.Adj != 900 || p.Turn != 0) {
				t.Errorf("%v: a process that took the pid of another passes for it: %+v", tt.use, *p)
			}
		}
	}
}

// A remembered row does not know of a later registration.
func TestCurrentTableKnowsTheRoll(t *testing.T) {
	table := open(t, apps(t), Options{})
	ask := asked(victim.RollFirst, &victim.Roll{})
	ask.Now, ask.Available = 1000*time.Second, 500*mib
	if err := table.Survey(ask); err != nil {
		t.Fatal(err)
	}
	ask.Surveyed = true
	if found, stats := choose(t, table, ask); winner(found, ask) != 13 || !stats.Remembered {
		t.Fatalf("winner %d, %+v", winner(found, ask), stats)
	}
	ask.Roll = roll()
	if found, stats := choose(t, table, ask); winner(found, ask) != 10 || stats.Remembered {
		t.Errorf("winner %d, remembered %v; want the tail", winner(found, ask), stats.Remembered)
	}
}

// Sizes by oom_score are told from the kernel's oom_score_adj, whatever the
// client says.
func TestScoresOfRegisteredProcesses(t *testing.T) {
	root := build(t,
		task{pid: 1, anon: 9, name: "init"},
		// badness in pages of 4 KiB: 100 MiB and the adj's share of 4 GiB.
		task{pid: 10, anon: 60, swap: 40, adj: 900, score: (1000 + 900 + 24) * 2 / 3},
	)
	table := open(t, root, Options{})
	table.scores = true
	ask := asked(victim.RollOnly, &victim.Roll{Members: []victim.Registration{member(10, 100, 1)}})
	ask.Swap, ask.SwapUsed = 0, 1000*mib
	found, _ := choose(t, table, ask)
	if len(found) != 1 || found[0].Adj != 100 || found[0].RSS+found[0].SwapHint > 200*mib {
		t.Errorf("%+v", found)
	}
}

func TestRegisteredChoiceAllocatesNothing(t *testing.T) {
	table := open(t, apps(t), Options{})
	for _, use := range victim.RollUses() {
		ask := asked(use, roll())
		if n := testing.AllocsPerRun(20, func() { _, _, _ = table.Candidates(ask) }); n != 0 {
			t.Errorf("%v: %v allocations a choice", use, n)
		}
	}
}
