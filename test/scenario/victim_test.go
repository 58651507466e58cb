//go:build vm

package scenario

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/test/vm/guest"
)

// standInKey makes the test binary play a part in a session instead.
const standInKey = "LMKD_SCENARIO_STAND_IN"

// The parts: whoever starts the session, the shell that leads it, and the
// compositor, which starts the hog as its child.
func init() {
	if err := playPart(os.Getenv(standInKey)); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func playPart(part string) error {
	switch part {
	case "login":
		return playChild("bash", true)
	case "bash":
		return playParent("bash", 4, func() error { return playChild("sway", false) })
	case "sway":
		return playParent("sway", 200, func() error { return playHog() })
	}
	return nil
}

// playParent takes a name and so many MB, starts its child and holds for ever.
func playParent(name string, mb int, child func() error) error {
	if err := os.WriteFile("/proc/self/comm", []byte(name), 0); err != nil {
		return err
	}
	held := make([]byte, mb<<20)
	for i := range held {
		held[i] = byte(i * i >> 7)
	}
	fmt.Println(name, os.Getpid())
	if err := child(); err != nil {
		return err
	}
	runtime.KeepAlive(held)
	return nil
}

// playChild starts this binary in another part, and waits for it.
func playChild(part string, session bool) error {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), standInKey+"="+part)
	if session {
		cmd.SysProcAttr = sys.NewSession()
	}
	return outlive(cmd)
}

func playHog() error {
	return outlive(exec.Command(guest.Hogs, "leak", "-name", "tab", "-rate", "20"))
}

// outlive runs a child, and goes on when it has ended.
func outlive(cmd *exec.Cmd) error {
	cmd.Stdout = os.Stdout
	if err := cmd.Start(); err != nil {
		return err
	}
	fmt.Println("child", cmd.Process.Pid)
	_ = cmd.Wait()
	for {
		time.Sleep(math.MaxInt64)
	}
}

// A session with a leader, a compositor and a hog as its child: the hog dies,
// and nobody else of it, though the compositor may be the larger one.
func TestTheSessionLives(t *testing.T) {
	spared := innocents(t)
	d := startDaemon(t)
	before := mark(t)
	t.Setenv(standInKey, "login")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	login, err := guest.Program(os.Stderr, 0, self)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(login.Kill)
	t.Cleanup(func() { killNamed(t, "bash", "sway", "tab") })
	part := func(name string) int { return pidOf(login, name) }
	if !guest.Until(patience, func() bool { return part("bash") > 0 && part("sway") > 0 && len(named("tab")) > 0 }) {
		t.Fatalf("the session has not begun: %q", login.Lines())
	}
	tab := named("tab")[0]
	if !guest.Until(patience, func() bool { return !lives(tab) }) {
		t.Error("the hog lives on")
	}
	for _, name := range []string{"bash", "sway"} {
		if !lives(part(name)) {
			t.Errorf("%s of the session died", name)
		}
	}
	conclude(t, d, before, spared)
	d.finishAndCount(t, tab)
}

// A parent that starts children without end dies with all of them, in one
// episode; whoever is beside it lives.
func forkBombDiesAsAWhole(t *testing.T) {
	spared := innocents(t)
	d := startDaemon(t)
	before := mark(t)
	bomb := hog(t, "forkbomb", "forks", "-mb", "15", "-every", "50ms")
	t.Cleanup(func() { killNamed(t, "hog-child") })
	if !guest.Until(patience, func() bool { return !bomb.Alive() && len(named("hog-child")) == 0 }) {
		t.Errorf("the bomb: %s, %d children live", bomb.Fate(), len(named("hog-child")))
	}
	conclude(t, d, before, spared)
	_ = d.Terminate()
	if err := d.WaitExit(patience); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d kills", d.assertOneAtATime(t))
}

// Bombs whose children nobody seems to be the parent of: forked twice, so that
// init adopts them, or a chain, each started by the one before, which lives on or
// has ended. They die as a whole, by few kills, and whoever is beside them lives.
func TestOrphanBombsDieAsAWhole(t *testing.T) {
	for name, args := range map[string][]string{
		"twice": {"twice", "-mb", "15", "-every", "50ms"},
		"chain": {"chain", "-mb", "15", "-every", "50ms"},
		"leave": {"chain", "-leave", "-mb", "15", "-every", "50ms"},
	} {
		t.Run(name, func(t *testing.T) { killsTheBomb(t, args...) })
	}
}

func killsTheBomb(t *testing.T, args ...string) {
	spared := innocents(t)
	d := startDaemon(t)
	before := mark(t)
	bomb := hog(t, "bomb", args...)
	t.Cleanup(func() { killNamed(t, "bomb", "hog-chain", "hog-child") })
	left := func() int { return len(named("bomb")) + len(named("hog-chain")) + len(named("hog-child")) }
	if !guest.Until(patience, func() bool { return said(d.Process, "Kill '") && left() == 0 }) {
		t.Errorf("the bomb: %s, %d of it live", bomb.Fate(), left())
	}
	conclude(t, d, before, spared)
	_ = d.Terminate()
	if err := d.WaitExit(patience); err != nil {
		t.Fatal(err)
	}
	if kills := d.assertOneAtATime(t); kills > 3 {
		t.Errorf("%d kills", kills)
	}
}

// memory.oom.group of a cgroup takes all in it, the small helper too, but not who
// is at -1000; and nobody else.
func TestOOMGroupDiesAsAWhole(t *testing.T) {
	spared := innocents(t)
	d := startDaemon(t)
	before := mark(t)
	helper := hog(t, "helper", "innocent", "-mb", "5")
	guard := hog(t, "guard", "innocent", "-mb", "5", "-adj", "-1000")
	for _, p := range []*guest.Process{helper, guard} {
		if err := p.WaitReady(patience); err != nil {
			t.Fatal(err)
		}
	}
	leak := hog(t, "leak", "leak", "-rate", "40")
	dir := ""
	for _, p := range []*guest.Process{helper, guard, leak} {
		var err error
		if dir, err = guest.Cgroup("whole", p.PID, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "memory.oom.group"), []byte("1"), 0); err != nil {
		t.Fatal(err)
	}
	if !guest.Until(patience, func() bool { return !leak.Alive() && !helper.Alive() }) {
		t.Errorf("leak %s, helper %s", leak.Fate(), helper.Fate())
	}
	conclude(t, d, before, append(spared, innocent{guard}))
	d.finishAndCount(t, leak.PID)
}

// A leak beside a large database that does not grow: the leak dies, and the
// database, larger than it, does not.
func TestLeakBesideADatabase(t *testing.T) {
	spared := innocents(t)
	database := hog(t, "database", "innocent", "-mb", "260")
	if err := database.WaitReady(patience); err != nil {
		t.Fatal(err)
	}
	d := startDaemon(t)
	before := mark(t)
	leak := hog(t, "leak", "leak", "-rate", "10")
	if !guest.Until(patience, func() bool { return !leak.Alive() || !database.Alive() }) {
		t.Error("nobody died")
	}
	conclude(t, d, before, append(spared, innocent{database}))
	d.finishAndCount(t, leak.PID)
}

// A rule takes the whole cgroup: whoever is in it with the hog dies too, and
// nobody else.
func TestCgroupDiesAsAWhole(t *testing.T) {
	spared := innocents(t)
	d := startDaemon(t, "--config", config(t, "victim:\n  rules:\n    - {comm: leak, kill: cgroup}\n"))
	before := mark(t)
	sidecar := hog(t, "sidecar", "innocent", "-mb", "5")
	if err := sidecar.WaitReady(patience); err != nil {
		t.Fatal(err)
	}
	leak := hog(t, "leak", "leak", "-rate", "40")
	for _, p := range []*guest.Process{sidecar, leak} {
		if _, err := guest.Cgroup("service", p.PID, nil); err != nil {
			t.Fatal(err)
		}
	}
	if !guest.Until(patience, func() bool { return !leak.Alive() && !sidecar.Alive() }) {
		t.Errorf("leak %s, sidecar %s", leak.Fate(), sidecar.Fate())
	}
	conclude(t, d, before, spared)
	d.finishAndCount(t, leak.PID)
}

// conclude checks that nobody died whom it was not about.
func conclude(t *testing.T, d *daemon, before guest.Mark, spared []innocent) {
	t.Helper()
	if !guest.Until(patience, func() bool { return !d.Alive() || said(d.Process, "Killed '") }) {
		t.Errorf("lmkd told of no victim's end: %q", d.Lines())
	}
	for _, p := range spared {
		if !p.Alive() {
			t.Errorf("%s died: %s", p.Name, p.Fate())
		}
	}
	if kills := mark(t).OOMKills - before.OOMKills; kills != 0 {
		t.Errorf("the kernel's OOM killer killed %d", kills)
	}
	for _, line := range d.Lines() {
		if strings.Contains(line, "Kill") {
			t.Log(line)
		}
	}
}

// pidOf gives the pid that a part of the session said it has.
func pidOf(p *guest.Process, name string) int {
	for _, line := range p.Lines() {
		if text, ok := strings.CutPrefix(line, name+" "); ok {
			pid, _ := strconv.Atoi(text)
			return pid
		}
	}
	return 0
}

// named gives the living processes of a task name.
func named(name string) (pids []int) {
	files, _ := filepath.Glob("/proc/[0-9]*/comm")
	for _, file := range files {
		comm, _ := os.ReadFile(file)
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if string(comm) == name+"\n" && lives(pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// lives tells whether pid is there and no zombie.
func lives(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, ok := strings.Cut(string(stat), ") ")
	return err == nil && ok && rest[0] != 'Z' && rest[0] != 'X'
}

func killNamed(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		for _, pid := range slices.Backward(named(name)) {
			if p, err := os.FindProcess(pid); err == nil {
				_ = p.Kill()
			}
		}
	}
}
