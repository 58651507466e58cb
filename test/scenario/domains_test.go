//go:build vm

package scenario

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lmkd/lmkd/test/vm/guest"
)

// boxLimit is the limit of a box, and boxedFor how long a hog in one is watched
// that nobody ends.
const (
	boxLimit = "96M"
	boxedFor = 40 * time.Second
)

// box makes a cgroup with memory.high and no swap, and takes it away with the test,
// whoever is in it.
func box(t *testing.T, name string, pid int) string {
	t.Helper()
	dir, err := guest.Cgroup(name, pid, map[string]string{"memory.high": boxLimit, "memory.swap.max": "0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unbox(dir) })
	return dir
}

// unbox kills who is left in a box and removes it.
func unbox(dir string) bool {
	_ = os.WriteFile(filepath.Join(dir, "cgroup.kill"), []byte("1"), 0)
	return guest.Until(patience, func() bool {
		_, err := os.Stat(dir)
		return os.Remove(dir) == nil || os.IsNotExist(err)
	})
}

func boxed(t *testing.T, dir string, p *guest.Process) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), fmt.Append(nil, p.PID), 0); err != nil {
		t.Fatal(err)
	}
}

// stalledIn gives how long all tasks in a box have stalled since it was made.
func stalledIn(t *testing.T, dir string) time.Duration {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "memory.pressure"))
	if err != nil {
		t.Fatal(err)
	}
	_, full, _ := strings.Cut(string(b), "full ")
	_, total, _ := strings.Cut(full, "total=")
	var us int64
	if _, err := fmt.Sscan(total, &us); err != nil {
		t.Fatal(err)
	}
	return time.Duration(us) * time.Microsecond
}

// Without a domain a hog that is boxed with memory.high stalls for ever: it
// neither dies nor works, and the machine has memory to spare.
func TestBoxWithoutADomain(t *testing.T) {
	d := startDaemon(t)
	dir := box(t, "box-alone", 0)
	h := hog(t, "leak", "leak")
	boxed(t, dir, h)
	guest.Until(boxedFor, func() bool { return !h.Alive() })
	stalled := stalledIn(t, dir)
	t.Logf("without a domain: hog %s after %v, full stall in its cgroup %v", h.Fate(), boxedFor, stalled)
	if !h.Alive() || stalled < boxedFor/4 {
		t.Errorf("the hog is %s, and its cgroup stalled %v", h.Fate(), stalled)
	}
	d.assertNoKill(t)
}

const boxDomains = "domains:\n  - cgroup: /box*\n"

// With one it is killed: the innocent beside it in the box lives, and so do those
// in other boxes and outside. The box of the hog is made after the start.
func TestBoxedHog(t *testing.T) {
	spared := innocents(t)
	other := box(t, "box-other", 0)
	neighbour := innocentIn(t, other, "neighbour")
	d := startDaemon(t, "--config", config(t, boxDomains))
	before := mark(t)
	dir := box(t, "box-hog", 0)
	friend := innocentIn(t, dir, "friend")
	h := hog(t, "leak", "leak")
	boxed(t, dir, h)
	died := guest.Until(patience, func() bool { return !h.Alive() })
	stalled := stalledIn(t, dir)
	after := mark(t)
	t.Logf("with a domain: hog %s, full stall in its cgroup %v, kernel OOM kills %d", h.Fate(), stalled, after.OOMKills-before.OOMKills)
	if !died || h.Fate() != "signal: killed" {
		t.Errorf("the hog: %s", h.Fate())
	}
	if after.OOMKills != before.OOMKills {
		t.Errorf("the kernel's OOM killer killed %d", after.OOMKills-before.OOMKills)
	}
	for _, p := range append(spared, neighbour, friend) {
		if !p.Alive() {
			t.Errorf("%s died: %s", p.Name, p.Fate())
		}
	}
	guest.Until(patience, func() bool { return said(d.Process, "Killed 'leak'") })
	if index(d.Lines(), "'/box-hog': Kill 'leak'", "of the cgroup's limit of 96.0MiB", "of two windows") < 0 {
		t.Errorf("the log does not say so: %q", d.Lines())
	}
	d.finishAndCount(t, h.PID)
}

func innocentIn(t *testing.T, dir, name string) innocent {
	t.Helper()
	p := hog(t, name, "innocent", "-mb", "8")
	boxed(t, dir, p)
	if err := p.WaitReady(patience); err != nil {
		t.Fatal(err)
	}
	return innocent{p}
}

// A cgroup that is at its limit for all the page cache in it is healthy, and one
// that is full of memory which nobody grows is, too.
func TestHealthyBoxes(t *testing.T) {
	d := startDaemon(t, "--config", config(t, boxDomains))
	streaming, full := box(t, "box-stream", 0), box(t, "box-full", 0)
	stream := hog(t, "stream", "stream")
	boxed(t, streaming, stream)
	resident := hog(t, "resident", "leak", "-mb", "90")
	boxed(t, full, resident)
	spared := []innocent{{stream}, {resident}}
	guest.Until(letBeFor, func() bool { return someDied(spared) })
	t.Logf("full stall: %v while streaming, %v when full; in use %s and %s", stalledIn(t, streaming), stalledIn(t, full),
		current(t, streaming), current(t, full))
	for _, p := range spared {
		if !p.Alive() {
			t.Errorf("%s died: %s", p.Name, p.Fate())
		}
	}
	d.assertNoKill(t)
}

func current(t *testing.T, dir string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "memory.current"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// One that vanishes is let go, one that comes under its name is another one, and
// the record tells of all.
func TestBoxesComeAndGo(t *testing.T) {
	first := box(t, "box-first", 0)
	d := startDaemon(t, "--config", config(t, boxDomains))
	if !said(d.Process, "1 cgroups are judged") {
		t.Errorf("the box that was there: %q", d.Lines())
	}
	if !unbox(first) {
		t.Fatal("the box stays")
	}
	box(t, "box-first", 0)
	for i := range 5 {
		if !unbox(box(t, fmt.Sprintf("box-short-%d", i), 0)) {
			t.Fatal("a box stays")
		}
	}
	dir := box(t, "box-last", 0)
	h := hog(t, "leak", "leak")
	boxed(t, dir, h)
	if !guest.Until(patience, func() bool { return !h.Alive() }) {
		t.Error("the hog lives on")
	}
	guest.Until(patience, func() bool { return said(d.Process, "Killed 'leak'") })
	if !unbox(dir) {
		t.Fatal("the last box stays")
	}
	guest.Until(2*time.Second, func() bool { return false })
	_ = d.Terminate()
	_ = d.WaitExit(patience)
	opened, closed := d.domains(t)
	if opened["/box-first"] != 2 || closed["/box-first"] != 1 || closed["/box-last"] != 1 {
		t.Errorf("opened %v, closed %v", opened, closed)
	}
}

// domains counts in the record which cgroups came and went.
func (d *daemon) domains(t *testing.T) (opened, closed map[string]int) {
	t.Helper()
	opened, closed = map[string]int{}, map[string]int{}
	names := map[int]string{}
	for _, s := range d.steps(t) {
		if s.Opened.Name != "" {
			names[s.Domain] = s.Opened.Name
			opened[s.Opened.Name]++
		}
		if s.Closed {
			closed[names[s.Domain]]++
		}
	}
	return opened, closed
}

// manyCgroups at rest cost one epoll: nothing of ours wakes.
const manyCgroups = 300

func TestManyCgroupsAtRest(t *testing.T) {
	for i := range manyCgroups {
		box(t, fmt.Sprintf("box-%d", i), 0)
	}
	d := start(t, "run", "--config", config(t, boxDomains))
	if !said(d, fmt.Sprintf("%d cgroups are judged", manyCgroups)) {
		t.Fatalf("not all are watched: %q", d.Lines())
	}
	guest.Until(time.Minute, func() bool { return !d.Alive() }) // what the start left to do
	before := switches(t, d.PID)
	guest.Until(idleFor, func() bool { return !d.Alive() })
	made := switches(t, d.PID) - before
	rss, err := guest.Resident(d.PID)
	if err != nil {
		t.Fatal(err)
	}
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", d.PID))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("at rest with %d cgroups: %d context switches in %v on all threads, resident %d kB, %d descriptors", manyCgroups, made, idleFor, rss>>10, len(fds))
	if limit := uint64(2 * idleFor / time.Minute); made > limit {
		t.Errorf("%d context switches in %v, want at most %d", made, idleFor, limit)
	}
}
