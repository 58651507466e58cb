package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/lmkd/lmkd/internal/sys/systest"
)

// sleeper starts a process that is killed by the test, or after it.
func sleeper(t *testing.T) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd
}

func pidOf(cmd *exec.Cmd) string { return strconv.Itoa(cmd.Process.Pid) }

func TestKillSaysEachStep(t *testing.T) {
	p := sleeper(t)
	out, errs, code := command(t.Context(), newKillCommand(), "--expedite", pidOf(p))
	if code != exitDone {
		t.Fatalf("%d: %s", code, errs)
	}
	for _, want := range []string{pidOf(p) + ": gone", "signal   ok", "boost    ok", "reclaim  ", "exit     ok"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	if err := p.Wait(); err == nil || err.Error() != "signal: killed" {
		t.Fatal(err)
	}
}

func TestKillAsJSON(t *testing.T) {
	p, q := sleeper(t), sleeper(t)
	out, errs, code := command(t.Context(), newKillCommand(), "--expedite", "--json", pidOf(p), pidOf(q))
	if code != exitDone {
		t.Fatalf("%d: %s", code, errs)
	}
	dec := json.NewDecoder(strings.NewReader(out))
	for _, want := range []*exec.Cmd{p, q} {
		var got struct {
			PID    int
			Fate   string
			Signal struct{ Errno string }
			Before struct{ Resident uint64 }
		}
		if err := dec.Decode(&got); err != nil {
			t.Fatal(err)
		}
		if got.PID != want.Process.Pid || got.Fate != "gone" || got.Signal.Errno != "ok" || got.Before.Resident == 0 {
			t.Errorf("%+v", got)
		}
	}
}

func TestKillEscalates(t *testing.T) {
	p := exec.Command("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done")
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 8)); err != nil {
		t.Fatal(err)
	}
	said, errs, code := command(t.Context(), newKillCommand(), "-s", "TERM", "-t", "20ms", pidOf(p))
	if code != exitTimeout || !strings.Contains(said, "alive") {
		t.Fatalf("%d: %s%s", code, said, errs)
	}
	said, errs, code = command(t.Context(), newKillCommand(), "-s", "term", "--escalate", "20ms", "--expedite", pidOf(p))
	if code != exitDone || !strings.Contains(said, "escalate ok") {
		t.Fatalf("%d: %s%s", code, said, errs)
	}
	_ = p.Wait()
}

func TestKillUsage(t *testing.T) {
	for _, args := range [][]string{
		{}, {"0"}, {"nobody"}, {"1"}, {strconv.Itoa(os.Getpid())}, {strconv.Itoa(os.Getppid())},
		{"-s", "NONE", "4711"}, {"-s", "TERM", "--expedite", "4711"}, {"--cgroup", "/x", "4711"},
		{"-s", "TERM", "--cgroup", "/x"}, {"--nice", "20", "4711"}, {"--attempts", "0", "4711"}, {"--cpus", "-1", "4711"},
		{"--cgroup", "/sys/fs/cgroup/pids"},
	} {
		if _, errs, code := command(t.Context(), newKillCommand(), args...); code != exitUsage || errs == "" {
			t.Errorf("%q: %d, %q", args, code, errs)
		}
	}
}

func TestKillWhatIsGone(t *testing.T) {
	p := sleeper(t)
	_ = p.Process.Kill()
	_ = p.Wait()
	for _, args := range [][]string{{"--json"}, {}} {
		if out, _, code := command(t.Context(), newKillCommand(), append(args, pidOf(p))...); code != exitDone || !strings.Contains(out, "gone") {
			t.Errorf("%d: %s", code, out)
		}
	}
}

func TestKillNotPermitted(t *testing.T) {
	const env = "KILL_TEST_TARGET"
	if !systest.Again(t) {
		p := sleeper(t)
		w := systest.WithoutRoot()
		w.Env = append(w.Env, env+"="+pidOf(p))
		systest.Rerun(t, w)
		return
	}
	out, errs, code := command(t.Context(), newKillCommand(), os.Getenv(env))
	if code != exitPermitted || !strings.Contains(errs, "operation not permitted") {
		t.Fatalf("%d: %s%s", code, out, errs)
	}
}

func TestKillCgroup(t *testing.T) {
	root := "/sys/fs/cgroup/unified"
	if _, err := os.Stat(root); err != nil {
		root = "/sys/fs/cgroup"
	}
	dir, err := os.MkdirTemp(root, "lmkd-kill-")
	if err != nil {
		t.Fatal("make a cgroup (needs root): ", err)
	}
	t.Cleanup(func() { _ = os.Remove(dir) })
	p, q := sleeper(t), sleeper(t)
	for _, one := range []*exec.Cmd{p, q} {
		if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(pidOf(one)), 0); err != nil {
			t.Fatal(err)
		}
	}
	out, errs, code := command(t.Context(), newKillCommand(), "--cgroup", dir)
	if code != exitDone || !strings.Contains(out, "gone, 2 processes") {
		t.Fatalf("%d: %s%s", code, out, errs)
	}
	if out, errs, code = command(t.Context(), newKillCommand(), "--json", "--cgroup", dir+"/none"); code != exitFailed {
		t.Fatalf("%d: %s%s", code, out, errs)
	}
}

func TestKillTree(t *testing.T) {
	p := exec.Command("sh", "-c", "sleep 1000 & echo ready; wait")
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 8)); err != nil {
		t.Fatal(err)
	}
	said, errs, code := command(t.Context(), newKillCommand(), "--tree", pidOf(p))
	if code != exitDone || !strings.Contains(said, "2 processes by one by one") {
		t.Fatalf("%d: %s%s", code, said, errs)
	}
	_ = p.Wait()
}

func TestReapRefusesTheLiving(t *testing.T) {
	p := sleeper(t)
	out, errs, code := command(t.Context(), newReapCommand(), "--json", pidOf(p))
	if code != exitFailed || !strings.Contains(errs, "not dying") || !strings.Contains(out, `"errno":"EINVAL"`) {
		t.Fatalf("%d: %s%s", code, out, errs)
	}
}

func TestReapWhatIsGone(t *testing.T) {
	p := sleeper(t)
	_ = p.Process.Kill() // and not waited for: a zombie, whose memory is gone
	for range 2 {
		if out, errs, code := command(t.Context(), newReapCommand(), pidOf(p)); code != exitDone {
			t.Fatalf("%d: %s%s", code, out, errs)
		}
		_ = p.Wait()
	}
}

func TestReapUsage(t *testing.T) {
	for _, args := range [][]string{{}, {"x"}, {"1", "2"}, {"--nice", "-21", "1"}} {
		if _, errs, code := command(t.Context(), newReapCommand(), args...); code != exitUsage {
			t.Errorf("%q: %d, %q", args, code, errs)
		}
	}
}
