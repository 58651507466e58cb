package process

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/internal/sys/systest"
	"github.com/lmkd/lmkd/pkg/victim"
)

// spent gives the CPU time of a task in ns: the first number of its schedstat.
func spent(b *testing.B, task string) (ns uint64) {
	b.Helper()
	text, err := os.ReadFile("/proc/" + task + "/schedstat")
	if err == nil {
		_, err = fmt.Sscan(string(text), &ns)
	}
	if err != nil {
		b.Fatal(err)
	}
	return ns
}

// BenchmarkPeer compares a choice with that of earlyoom among the same
// processes, in turns, by CPU time. It needs earlyoom.
func BenchmarkPeer(b *testing.B) {
	if *sleepers > 0 {
		systest.New(b).Crowd(*sleepers)
	}
	hog(b, "hog")
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	t := open(b, "/", Options{Own: int32(sys.Getpid())})
	ask := Ask{
		Policy: &victim.Policy{Bands: []int16{900, 0}, MinGain: 10 << 20, Rules: victim.BuiltIn(), GrowthWeight: 4, Brood: 8},
		RAM:    24 << 30, Now: sys.SinceBoot(),
	}
	turns := 0
	var cold, current, peer, seen float64
	for b.Loop() {
		turns++
		t.Forget()
		ask.Surveyed = false
		cold += ours(b, t, ask, &seen)
		ask.Now, ask.Surveyed = sys.SinceBoot(), true
		if err := t.Survey(ask); err != nil {
			b.Fatal(err)
		}
		current += ours(b, t, ask, &seen)
		peer += theirs(b)
	}
	n := seen / 2
	b.ReportMetric(n/float64(turns)/choices, "processes")
	b.ReportMetric(cold/n, "cold-ns/process")
	b.ReportMetric(current/n, "current-ns/process")
	b.ReportMetric(peer/n, "earlyoom-ns/process")
	b.ReportMetric(peer/cold, "times-cold")
	b.ReportMetric(peer/current, "times-current")
	b.ReportMetric(cold/float64(turns)/choices/1e6, "cold-ms")
	b.ReportMetric(current/float64(turns)/choices/1e6, "current-ms")
}

// choices is how many are made in a turn.
const choices = 8

func ours(b *testing.B, t *Table, ask Ask, seen *float64) float64 {
	began := spent(b, "thread-self")
	for range choices {
		_, stats, err := t.Candidates(ask)
		if err != nil || stats.Remembered != ask.Surveyed {
			b.Fatalf("%+v %v", stats, err)
		}
		if !ask.Surveyed {
			t.Forget()
		}
		*seen += float64(stats.Seen)
	}
	return float64(spent(b, "thread-self") - began)
}

// theirs lets earlyoom choose without a kill, from its first choice on.
func theirs(b *testing.B) float64 {
	cmd := exec.Command("earlyoom", "-m", "99", "-s", "99", "--dryrun")
	out, err := cmd.StdoutPipe()
	cmd.Stderr = cmd.Stdout
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	task := fmt.Sprint(cmd.Process.Pid)
	var began uint64
	seen := 0
	for lines := bufio.NewScanner(out); lines.Scan() && seen <= choices; {
		if !strings.Contains(lines.Text(), "sending SIG") || !strings.Contains(lines.Text(), "to process") {
			continue
		}
		if seen++; seen == 1 {
			began = spent(b, task)
		}
	}
	if seen <= choices {
		b.Fatalf("earlyoom chose %d times", seen)
	}
	return float64(spent(b, task) - began)
}
