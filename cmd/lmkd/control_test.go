package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lmkd/lmkd/internal/control"
	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/lmkproto"
)

// running is a real daemon in a dry run.
type running struct {
	cmd *exec.Cmd
	log chan string
	dir string
}

// startDryRun builds the program, and starts it with both sockets in a directory of
// its own.
func startDryRun(t *testing.T, profile string) *running {
	t.Helper()
	r := &running{dir: t.TempDir(), log: make(chan string, 256)}
	bin := filepath.Join(r.dir, "lmkd")
	if out, err := exec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	text := fmt.Sprintf("profile: %s\ncontrol:\n  socket: %s\n  android_socket: %s\n", profile, r.native(), r.android())
	file := filepath.Join(r.dir, "lmkd.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r.cmd = exec.Command(bin, "run", "--dry-run", "--config", file)
	stderr, err := r.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.cmd.Process.Kill(); _ = r.cmd.Wait() })
	go func() {
		lines := bufio.NewScanner(stderr)
		for lines.Scan() {
			r.log <- lines.Text()
		}
		close(r.log)
	}()
	r.wait(t, "is ready")
	return r
}

func (r *running) native() string  { return filepath.Join(r.dir, "control.sock") }
func (r *running) android() string { return filepath.Join(r.dir, "android.sock") }

// wait reads the log until a line has the text.
func (r *running) wait(t *testing.T, text string) {
	t.Helper()
	var all []string
	for line := range r.log {
		if all = append(all, line); strings.Contains(line, text) {
			return
		}
	}
	t.Fatalf("the daemon ended without %q: %q", text, all)
}

// A real client registers real processes with a real daemon.
func TestRegisterWithARealDaemon(t *testing.T) {
	r := startDryRun(t, "android")
	r.wait(t, "until the first registration everybody may")
	c, err := lmkproto.Dial(r.android())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	p := exec.Command("sleep", "1000")
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Process.Kill(); _ = p.Wait() }()
	pid := int32(p.Process.Pid)
	if err := c.Register(lmkproto.Proc{PID: pid, UID: int32(os.Getuid()), Adj: 900}); err != nil {
		t.Fatal(err)
	}
	if n, err := c.KillCount(-1000, 1000); n != 0 || err != nil {
		t.Errorf("%d kills, %v", n, err)
	}
	adj, err := os.ReadFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid))
	if err != nil || string(adj) != "900\n" {
		t.Errorf("oom_score_adj %q, %v", adj, err)
	}
	r.wait(t, "registered the first process")
	if err := r.cmd.Process.Signal(sys.SignalTerminate); err != nil {
		t.Fatal(err)
	}
	r.wait(t, "stopping")
	for range r.log {
	}
	if err := r.cmd.Wait(); err != nil {
		t.Error(err)
	}
	for _, path := range []string{r.native(), r.android()} {
		if _, err := os.Stat(path); !os.IsNotExist(err) {
			t.Errorf("%s stays: %v", path, err)
		}
	}
}

func TestLevelsOfARealDaemon(t *testing.T) {
	r := startDryRun(t, "linux")
	out, stderr, code := command(context.Background(), newLevelsCommand(), "--json", "--socket", r.native())
	var l control.LevelLine
	if err := json.Unmarshal([]byte(out), &l); err != nil || code != 0 || l.Domain != "machine" || l.Level == "" || l.At.IsZero() {
		t.Errorf("%q, %q, exit code %d, %v", out, stderr, code, err)
	}
	out, _, _ = command(context.Background(), newLevelsCommand(), "--socket", r.native())
	if !strings.Contains(out, "machine since 20") {
		t.Errorf("in words: %q", out)
	}
}

func TestLevelsWithoutADaemon(t *testing.T) {
	_, stderr, code := command(context.Background(), newLevelsCommand(), "--socket", filepath.Join(t.TempDir(), "none"))
	if code != exitFailed || !strings.Contains(stderr, "no daemon answers") {
		t.Errorf("%q, exit code %d", stderr, code)
	}
}
