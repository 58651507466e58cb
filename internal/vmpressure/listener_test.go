package vmpressure

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/lmkd/lmkd/internal/boxtest"
	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/pressure"
)

const job = "LMKD_VMPRESSURE_TEST"

func TestMain(m *testing.M) {
	if task := os.Getenv(job); task != "" {
		boxtest.Wait()
		eat(task)
		return
	}
	os.Exit(m.Run())
}

// eat fills the box until somebody ends it: with file pages, which the kernel
// frees as fast, or with memory of its own, which nothing can free without swap.
func eat(task string) {
	if task == "memory" {
		all := make([]byte, 1<<30)
		for i := 0; ; i = (i + 4096) % len(all) {
			all[i]++
		}
	}
	chunk := make([]byte, 1<<20)
	f, _ := os.Create(task)
	for range 64 {
		_, _ = f.Write(chunk)
	}
	for {
		if n, err := f.Read(chunk); n == 0 || err != nil {
			_, _ = f.Seek(0, 0)
		}
	}
}

// box makes a cgroup with little memory and listens to it.
func box(t *testing.T, limit uint64) (*boxtest.Box, *Listener) {
	root, err := find("/")
	if errors.Is(err, ErrNoController) || os.Getuid() != 0 {
		t.Skip("needs root and the memory controller on cgroup v1")
	}
	if err != nil {
		t.Fatal(err)
	}
	before, _ := filepath.Glob(filepath.Join(root, "lmkd-test-*"))
	b := boxtest.New(t, limit)
	after, _ := filepath.Glob(filepath.Join(root, "lmkd-test-*"))
	for _, dir := range after {
		if !contains(before, dir) {
			l, err := Listen(dir)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(l.Close)
			return b, l
		}
	}
	t.Fatal("the box has no directory on cgroup v1")
	return nil, nil
}

func contains(dirs []string, dir string) bool {
	for _, d := range dirs {
		if d == dir {
			return true
		}
	}
	return false
}

// loudest waits until the level is heard, for at most ten seconds.
func loudest(t *testing.T, l *Listener, want pressure.Level) pressure.Level {
	t.Helper()
	p, err := sys.NewEpoll(4)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for _, fd := range l.Fds() {
		if e := p.Add(fd, sys.In, 0); e != 0 {
			t.Fatal(e)
		}
	}
	heard, out := pressure.LevelNone, make([]sys.Event, 4)
	for range 100 {
		if _, e := p.Wait(out, 100); e != 0 {
			t.Fatal(e)
		}
		if heard = max(heard, l.Drain()); heard >= want {
			break
		}
	}
	return heard
}

// TestFileCacheIsLow: a box full of file pages is reclaimed with ease.
func TestFileCacheIsLow(t *testing.T) {
	b, l := box(t, 24<<20)
	if got := l.Drain(); got != pressure.LevelNone {
		t.Errorf("a box at rest says %v", got)
	}
	dir := t.TempDir()
	b.Start(t, job, filepath.Join(dir, "stream"))
	if got := loudest(t, l, pressure.LevelLow); got == pressure.LevelNone {
		t.Error("nothing was heard of a box that is reclaimed")
	}
}

// TestMemoryIsCritical: a process that fills its box without swap is heard as
// critical, and nothing more comes when all was drained.
func TestMemoryIsCritical(t *testing.T) {
	b, l := box(t, 24<<20)
	hog := b.Start(t, job, "memory")
	if got := loudest(t, l, pressure.LevelCritical); got != pressure.LevelCritical {
		t.Errorf("the loudest word is %v, want critical", got)
	}
	_ = hog.Process.Kill()
	_ = hog.Wait()
	l.Drain()
	if got := l.Drain(); got != pressure.LevelNone {
		t.Errorf("drained, and %v again", got)
	}
}

func TestOpen(t *testing.T) {
	for name, tt := range map[string]struct {
		mounts string
		none   bool // ErrNoController, else another error
	}{
		"v2 alone":        {"cgroup2 /sys/fs/cgroup cgroup2 rw,nsdelegate,memory_recursiveprot 0 0\n", true},
		"other v1":        {"cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\nshort line\n", true},
		"v1, but no file": {"cgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0\n", false},
	} {
		root := t.TempDir()
		if err := os.MkdirAll(filepath.Join(root, "proc/self"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, "proc/self/mounts"), []byte(tt.mounts), 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := Open(root)
		if l != nil || err == nil || errors.Is(err, ErrNoController) != tt.none {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Open(t.TempDir()); err == nil {
		t.Error("no mount table, and no error")
	}
}
