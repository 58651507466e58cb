package process

import (
	"flag"
	"fmt"
	"testing"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/internal/sys/systest"
	"github.com/lmkd/lmkd/pkg/victim"
)

var sleepers = flag.Int("sleepers", 1000, "how many sleeping processes the benchmarks add")

func BenchmarkCandidates(b *testing.B) {
	if *sleepers > 0 {
		systest.New(b).Crowd(*sleepers)
	}
	hog(b, "hog")
	t := open(b, "/", Options{Own: int32(sys.Getpid())})
	for _, c := range []struct {
		name string
		ask  Ask
	}{
		{"all", Ask{Policy: &victim.Policy{Bands: []int16{900, 0}}, RAM: 24 << 30}},
		{"nobody", Ask{Policy: &victim.Policy{Bands: []int16{900, 0}, MinGain: 1 << 30}, RAM: 24 << 30}},
		{"worth", Ask{Policy: &victim.Policy{Bands: []int16{900, 0}, MinGain: 2 << 20}, RAM: 24 << 30}},
		{"swap", Ask{Policy: &victim.Policy{Bands: []int16{900, 0}}, RAM: 24 << 30, Swap: 8 << 30, SwapUsed: 4 << 30}},
		{"adj", Ask{Policy: &victim.Policy{}, Query: victim.Query{MinAdj: 201}, RAM: 24 << 30}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			seen := 0
			var stats Stats
			for b.Loop() {
				var err error
				if _, stats, err = t.Candidates(c.ask); err != nil {
					b.Fatal(err)
				}
				seen += stats.Seen
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(seen), "ns/process")
			b.ReportMetric(float64(stats.Seen), "processes")
			b.Logf("%+v", stats)
		})
	}
	b.Run("walk", func(b *testing.B) { benchWalk(b) })
	b.Run("current", func(b *testing.B) { benchCurrent(b, t) })
}

// benchCurrent is a choice right after a survey, as in an episode.
func benchCurrent(b *testing.B, t *Table) {
	ask := Ask{Policy: &victim.Policy{Bands: []int16{900, 0}, MinGain: 2 << 20, GrowthWeight: 4, Brood: 8}, RAM: 24 << 30, Surveyed: true}
	ask.Now = sys.SinceBoot()
	if err := t.Survey(ask); err != nil {
		b.Fatal(err)
	}
	seen, cold := 0, 0
	b.ReportAllocs()
	for b.Loop() {
		_, stats, err := t.Candidates(ask)
		if err != nil {
			b.Fatal(err)
		}
		seen += stats.Seen
		if !stats.Remembered {
			cold++
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(seen), "ns/process")
	b.ReportMetric(float64(cold), "cold")
}

// benchWalk is a choice whose phase one is a pass in the kernel.
func benchWalk(b *testing.B) {
	t := open(b, "/", Options{Own: int32(sys.Getpid()), Tasks: tasks(b)})
	ask := Ask{Policy: &victim.Policy{Bands: []int16{900, 0}, MinGain: 2 << 20}, RAM: 24 << 30}
	seen := 0
	b.ReportAllocs()
	for b.Loop() {
		_, stats, err := t.Candidates(ask)
		if err != nil || !stats.Walked {
			b.Fatalf("%+v %v", stats, err)
		}
		seen += stats.Seen
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(seen), "ns/process")
}

// BenchmarkGroups is a choice among processes in cgroups of their own, three deep,
// with their settings read and without, and with one of them dying as a whole.
func BenchmarkGroups(b *testing.B) {
	var tasks []task
	for pid := 10; pid < 74; pid++ {
		tasks = append(tasks, task{pid: pid, anon: 100, cgroup: fmt.Sprintf("0::/system.slice/app-%d.slice/app.service\n", pid)})
	}
	for _, c := range []struct {
		name  string
		heed  bool
		files map[string]string
	}{
		{"unread", false, nil},
		{"read", true, nil},
		{"unit", true, map[string]string{"system.slice/app-10.slice/memory.oom.group": "1\n"}},
	} {
		b.Run(c.name, func(b *testing.B) {
			t := open(b, grouped(b, c.files, tasks...), Options{})
			ask := linux()
			ask.Policy.OOMGroup, ask.Policy.Preference = c.heed, c.heed
			b.ReportAllocs()
			detailed := 0
			for b.Loop() {
				_, stats := choose(b, t, ask)
				detailed = stats.Detailed
			}
			b.ReportMetric(float64(detailed), "detailed")
		})
	}
}
