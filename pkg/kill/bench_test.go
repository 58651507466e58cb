package kill_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/kill"
)

// BenchmarkBesideBusyProcessors is the kill of a victim of 1 GB that hardly
// gets to run, beside as many busy loops as there are processors: from SIGKILL
// to the exit, and to the memory's return by the victim's own cgroup charge,
// first left to itself and then with process_mrelease and a boost. Run it with
// -benchtime=5x for medians of five; with KILL_BENCH_CSV=FILE each kill is
// written down as a line.
func BenchmarkBesideBusyProcessors(b *testing.B) {
	for _, class := range []string{"nice 19", "idle class", "nice 0, alone"} {
		b.Run(class, func(b *testing.B) { compareKills(b, class) })
	}
}

// BenchmarkSignal is what a loop pays for the signal: the permission is checked,
// nothing is sent.
func BenchmarkSignal(b *testing.B) {
	self := ourselves(b)
	b.ReportAllocs()
	for b.Loop() {
		kill.Signal(self, self.StartTime(), 0)
	}
}

// BenchmarkSubmit is what a loop pays for handing a reclaim over, and the way
// back.
func BenchmarkSubmit(b *testing.B) {
	r := reapers(b, 1)
	self := ourselves(b)
	b.ReportAllocs()
	for b.Loop() {
		if e := r.Submit(self.Fd(), 1); e != 0 {
			b.Fatal(e)
		}
		collect(b, r)
	}
}

const gigabyte = 1024 // MB

// speed is one kill: from SIGKILL to the exit, and to the memory's return.
type speed struct{ exit, back time.Duration }

func compareKills(b *testing.B, class string) {
	var plain, fast []speed
	for range b.N {
		plain = append(plain, oneKill(b, class, false))
		fast = append(fast, oneKill(b, class, true))
	}
	exit, back := median(plain, speed.getExit), median(plain, speed.getBack)
	exitFast, backFast := median(fast, speed.getExit), median(fast, speed.getBack)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(exit.Seconds()*1000, "plain-exit-ms")
	b.ReportMetric(exitFast.Seconds()*1000, "exit-ms")
	b.ReportMetric(exit.Seconds()/exitFast.Seconds(), "exit-times-sooner")
	b.ReportMetric(back.Seconds()*1000, "plain-back-ms")
	b.ReportMetric(backFast.Seconds()*1000, "back-ms")
	b.ReportMetric(back.Seconds()/backFast.Seconds(), "back-times-sooner")
}

func (s speed) getExit() time.Duration { return s.exit }
func (s speed) getBack() time.Duration { return s.back }

func median(all []speed, of func(speed) time.Duration) time.Duration {
	times := make([]time.Duration, len(all))
	for i, s := range all {
		times[i] = of(s)
	}
	slices.Sort(times)
	return times[len(times)/2]
}

// oneKill makes a victim and the busy loops, kills, and measures in a real-time
// thread, which is what the daemon's loop is.
func oneKill(b *testing.B, class string, expedite bool) speed {
	b.Helper()
	var out speed
	box(b, func(tb testing.TB) {
		p, c := boxed(tb, gigabyte+64, "hold "+strconv.Itoa(gigabyte))
		r := reapers(tb, kill.Workers(runtime.NumCPU()))
		if class == "idle class" {
			idle(tb, p.PID())
		}
		if class == "nice 19" {
			reclass(tb, p.PID(), sys.NormalSched(19))
		}
		if class != "nice 0, alone" {
			crowdOut(tb)
		}
		done := make(chan speed)
		go func() { done <- measure(tb, p, c, r, expedite) }()
		out = <-done
	})
	writeDown(b, class, expedite, out)
	return out
}

// box runs f and ends what it started, which a benchmark's own cleanup would do
// much too late.
func box(b *testing.B, f func(testing.TB)) {
	b.Helper()
	t := &scope{TB: b}
	defer func() {
		for _, clean := range slices.Backward(t.cleanups) {
			clean()
		}
	}()
	f(t)
}

type scope struct {
	testing.TB
	cleanups []func()
}

func (s *scope) Cleanup(f func()) { s.cleanups = append(s.cleanups, f) }

func measure(tb testing.TB, p prey, c cgroup, r *kill.Reapers, expedite bool) (out speed) {
	runtime.LockOSThread() // and never unlock
	if err := sys.SetFIFO(1); err != nil {
		tb.Error("needs CAP_SYS_NICE: ", err)
		return out
	}
	before := chargeOf(tb, c)
	s := kill.Signal(p, p.StartTime(), sys.SIGKILL)
	if !s.OK() {
		tb.Error(s.Errno)
		return out
	}
	if expedite {
		if e := r.Hand(kill.Job{Pidfd: p.Fd(), Token: 1, Boost: true}); e != 0 {
			tb.Error(e)
		}
	}
	for out.exit == 0 || out.back == 0 {
		fd := p.Fd()
		if out.exit != 0 {
			fd = r.Fd() // a clock that ticks
		}
		ready, _ := sys.PollFor(fd, 1)
		if out.exit == 0 && ready != 0 {
			out.exit = sys.Now() - s.Start
		}
		if out.back == 0 && chargeOf(tb, c) <= before/16 {
			out.back = sys.Now() - s.Start
		}
	}
	return out
}

func chargeOf(tb testing.TB, c cgroup) uint64 {
	file := "memory.usage_in_bytes"
	if c.v2 {
		file = "memory.current"
	}
	n, err := strconv.ParseUint(c.get(tb, file), 10, 64)
	if err != nil {
		tb.Error(err)
	}
	return n
}

func reclass(t testing.TB, pid int, s sys.Sched) {
	t.Helper()
	files, err := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		tid, _ := strconv.Atoi(filepath.Base(file))
		if e := sys.SetSched(tid, s); e != 0 && e != sys.ESRCH {
			t.Fatal(e)
		}
	}
}

// writeDown appends the kill to the file that KILL_BENCH_CSV names.
func writeDown(b *testing.B, class string, expedite bool, s speed) {
	b.Helper()
	path := os.Getenv("KILL_BENCH_CSV")
	if path == "" {
		return
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	how := map[bool]string{false: "left to itself", true: "expedited"}[expedite]
	fmt.Fprintf(f, "%q,%s,%.3f,%.3f\n", class, how, s.exit.Seconds()*1000, s.back.Seconds()*1000)
}

// crowdOut starts four spinners for every processor, as a build does that was
// told to use them well.
func crowdOut(tb testing.TB) {
	tb.Helper()
	for range 4 {
		busy(tb)
	}
}
