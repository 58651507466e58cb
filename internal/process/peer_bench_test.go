package process

import (
	"bufio"
	"flag"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/internal/sys/systest"
	"github.com/lmkd/lmkd/internal/taskiter"
	"github.com/lmkd/lmkd/pkg/victim"
)

const (
	// choices is how many are made in a turn.
	choices = 4
	// rest is what earlyoom sleeps before each: everybody finds the CPU's caches
	// as others left them.
	rest = 100 * time.Millisecond
)

var crowds = flag.String("crowds", "1000,5000,20000", "among how many sleeping processes BenchmarkPeer chooses")

// BenchmarkPeer compares the ways to a choice with earlyoom's among the same
// processes: in turns, at the same pace, by the median of CPU time. What the
// machine lacks is left out, and said: earlyoom, which scripts/deps.sh gets, or
// the kernel's types.
func BenchmarkPeer(b *testing.B) {
	for count := range strings.SplitSeq(*crowds, ",") {
		b.Run(count, func(b *testing.B) {
			n, err := strconv.Atoi(count)
			if err != nil {
				b.Fatal(err)
			}
			benchPeer(b, n)
		})
	}
}

// walker opens a table that asks the kernel, nil where that can not be.
func walker(b *testing.B) *Table {
	it, err := taskiter.Open()
	if err != nil {
		b.Logf("NOT MEASURED: a pass in the kernel: %v", err)
		return nil
	}
	b.Cleanup(func() { _ = it.Close() })
	return open(b, "/", Options{Own: int32(sys.Getpid()), Tasks: it})
}

func benchPeer(b *testing.B, count int) {
	_, alone := exec.LookPath("earlyoom")
	if alone != nil {
		b.Logf("NOT MEASURED: earlyoom: %v (scripts/deps.sh gets it, make bench finds it)", alone)
	}
	systest.New(b).Crowd(count)
	hog(b, "hog")
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	files, walk := open(b, "/", Options{Own: int32(sys.Getpid())}), walker(b)
	ask := Ask{
		Policy: &victim.Policy{Bands: []int16{900, 0}, MinGain: 10 << 20, Rules: victim.BuiltIn(), GrowthWeight: 4, Brood: 8},
		RAM:    24 << 30,
	}
	var seen int
	times := map[string][]float64{}
	for b.Loop() {
		ask.Now, ask.Surveyed = sys.SinceBoot(), false
		files.Forget()
		for range choices {
			times["floor"] = append(times["floor"], ours(b, func() { openReadClose(files) }))
			times["files"] = append(times["files"], ours(b, func() { seen = chosen(b, files, ask, false) }))
			if walk != nil {
				times["walk"] = append(times["walk"], ours(b, func() { chosen(b, walk, ask, true) }))
			}
		}
		ask.Surveyed = true
		for range choices {
			ask.Now = sys.SinceBoot()
			if err := files.Survey(ask); err != nil {
				b.Fatal(err)
			}
			times["current"] = append(times["current"], ours(b, func() { chosen(b, files, ask, false) }))
		}
		if alone == nil {
			times["earlyoom"] = append(times["earlyoom"], theirs(b)...)
		}
	}
	tell(b, times, float64(seen))
}

// tell reports the CPU time of each for one process, and how often ours fits into
// the peer's, or without a peer into a scan of files.
func tell(b *testing.B, times map[string][]float64, seen float64) {
	b.ReportMetric(0, "ns/op") // the rests
	b.ReportMetric(seen, "processes")
	peer := "earlyoom"
	if len(times[peer]) == 0 {
		peer = "files"
	}
	for who, values := range times {
		b.ReportMetric(median(values)/seen, who+"-ns/process")
		if who != "floor" && who != peer {
			b.ReportMetric(median(times[peer])/median(values), who+"-times")
		}
	}
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// ours gives the CPU time of one thing done by this thread, after a rest.
func ours(b *testing.B, do func()) float64 {
	time.Sleep(rest)
	began := systest.CPUTime(b, 0)
	do()
	return float64(systest.CPUTime(b, 0) - began)
}

func chosen(b *testing.B, t *Table, ask Ask, walked bool) int {
	_, stats, err := t.Candidates(ask)
	if err != nil || stats.Walked != walked || stats.Remembered != (ask.Surveyed && !walked) {
		b.Fatalf("%+v %v", stats, err)
	}
	return stats.Seen
}

// openReadClose is the floor of every scan of /proc: one file of each process,
// by three bare system calls.
func openReadClose(t *Table) {
	var buf [statmSize]byte
	_ = t.list(func(pid int32) {
		t.setProcess(pid)
		_, _ = readFile(t.proc.Int(), t.setName("statm"), 0, buf[:])
	})
}

// theirs lets earlyoom choose without a kill, and gives the CPU time of each
// choice but the first. It tells of each when it has made it, and then rests.
func theirs(b *testing.B) (times []float64) {
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
	last := time.Duration(0)
	for lines := bufio.NewScanner(out); lines.Scan() && len(times) < choices; {
		if !strings.Contains(lines.Text(), "sending SIG") || !strings.Contains(lines.Text(), "to process") {
			continue
		}
		now := systest.CPUTime(b, cmd.Process.Pid)
		if last > 0 {
			times = append(times, float64(now-last))
		}
		last = now
	}
	if len(times) < choices {
		b.Fatalf("earlyoom chose %d times", len(times))
	}
	return times
}
