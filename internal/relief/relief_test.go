package relief

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lmkd/lmkd/internal/engine"
	"github.com/lmkd/lmkd/internal/sys"
)

// tree makes cgroups whose files are plain ones.
func tree(t *testing.T, cgroups ...string) string {
	t.Helper()
	root := t.TempDir()
	for _, c := range append([]string{""}, cgroups...) {
		dir := filepath.Join(root, c)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{
			"cgroup.freeze": "0", "cgroup.procs": "", "memory.current": "1000", "memory.reclaim": "",
		} {
			put(t, dir, name, text)
		}
	}
	return root
}

func put(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func has(t *testing.T, dir, name, want string) {
	t.Helper()
	if got := string(read(dir, name)); got != want {
		t.Errorf("%s of %s is %q, want %q", name, dir, got, want)
	}
}

// bench is one worker and what it may use.
type bench struct {
	*Worker
	said []string
	mu   sync.Mutex
}

func start(t *testing.T, root string, act engine.Relief, change func(*Tools)) *bench {
	t.Helper()
	b := &bench{}
	tools := &Tools{Cgroups: root, Guard: func(int32) string { return "" }, Say: b.say}
	if change != nil {
		change(tools)
	}
	done, err := sys.NewEventfd()
	if err != nil {
		t.Fatal(err)
	}
	if b.Worker, err = Start(act, tools, done); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		b.Close()
		_ = done.Close()
	})
	return b
}

func (b *bench) say(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.said = append(b.said, fmt.Sprintf(format, args...))
}

// result waits for the end of the act.
func (b *bench) result(t *testing.T) Result {
	t.Helper()
	for {
		if ready, e := sys.PollFor(b.done.Fd(), 20_000); ready == 0 {
			t.Fatalf("the act does not end: %v", e)
		}
		b.done.Clear()
		if r, ok := b.Collect(); ok {
			return r
		}
	}
}

// until waits for a file to say something.
func until(t *testing.T, dir, name, want string) {
	t.Helper()
	for range 20_000 {
		if string(read(dir, name)) == want {
			return
		}
		_, _ = sys.PollFor(-1, 1)
	}
	has(t, dir, name, want)
}

func TestFind(t *testing.T) {
	root := tree(t, "a.slice/x.service", "a.slice/y.service", "a.slice/y.service/z", "b.slice")
	for pattern, want := range map[string]string{
		"/a.slice/x.service": "/a.slice/x.service",
		"/a.slice/*":         "/a.slice/x.service /a.slice/y.service",
		"/a.slice/**":        "/a.slice/x.service /a.slice/y.service /a.slice/y.service/z",
		"/c.slice":           "",
	} {
		var got []string
		for _, dir := range Find(root, []string{pattern}) {
			got = append(got, strings.TrimPrefix(dir, root))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s matches %v, want %v", pattern, got, want)
		}
	}
	if Find("", []string{"/**"}) != nil {
		t.Error("cgroups without a root")
	}
}

func TestReclaim(t *testing.T) {
	root := tree(t, "a", "b")
	w := start(t, root, engine.Relief{Act: engine.Reclaim, Cgroups: []string{"/*"}, Amount: chunk + 5, For: time.Minute}, nil)
	w.Begin(sys.Now())
	if r := w.result(t); r.Cgroups != 1 || r.Errno != 0 {
		t.Errorf("%+v", r) // a gave all of it
	}
	has(t, filepath.Join(root, "a"), "memory.reclaim", "5194304") // the second write over the first
	has(t, filepath.Join(root, "b"), "memory.reclaim", "")
}

// A kernel without memory.reclaim is told by its error, and an act that may not
// take any time does nothing.
func TestReclaimFails(t *testing.T) {
	root := tree(t, "a")
	if err := os.Remove(filepath.Join(root, "a", "memory.reclaim")); err != nil {
		t.Fatal(err)
	}
	w := start(t, root, engine.Relief{Act: engine.Reclaim, Cgroups: []string{"/a"}, Amount: 1, For: time.Minute}, nil)
	w.Begin(sys.Now())
	if r := w.result(t); r.Errno != sys.ENOENT || r.Cgroups != 1 {
		t.Errorf("%+v", r)
	}
	w.Begin(sys.Now() - time.Hour)
	if r := w.result(t); r.Errno != 0 || r.Cgroups != 0 {
		t.Errorf("out of time: %+v", r)
	}
}

func TestFreezeUntilItsEnd(t *testing.T) {
	root := tree(t, "a", "b", "c")
	put(t, filepath.Join(root, "b"), "cgroup.freeze", "1") // by somebody else
	w := start(t, root, engine.Relief{Act: engine.Freeze, Cgroups: []string{"/a", "/b"}, For: time.Minute}, nil)
	w.Begin(sys.Now())
	until(t, filepath.Join(root, "a"), "cgroup.freeze", "1")
	w.End()
	if r := w.result(t); r.Cgroups != 1 || r.Errno != 0 {
		t.Errorf("%+v", r)
	}
	has(t, filepath.Join(root, "a"), "cgroup.freeze", "0")
	has(t, filepath.Join(root, "b"), "cgroup.freeze", "1")
	has(t, filepath.Join(root, "c"), "cgroup.freeze", "0")
}

func TestFreezeForItsTime(t *testing.T) {
	root := tree(t, "a")
	w := start(t, root, engine.Relief{Act: engine.Freeze, Cgroups: []string{"/a"}, For: 2 * time.Second}, nil)
	w.Begin(sys.Now())
	if r := w.result(t); r.Cgroups != 1 || r.Took < time.Second {
		t.Errorf("%+v", r)
	}
	has(t, filepath.Join(root, "a"), "cgroup.freeze", "0")
}

// What is frozen is thawed when the daemon stops.
func TestFreezeUntilClose(t *testing.T) {
	root := tree(t, "a")
	w := start(t, root, engine.Relief{Act: engine.Freeze, Cgroups: []string{"/a"}, For: time.Hour}, nil)
	w.Begin(sys.Now())
	until(t, filepath.Join(root, "a"), "cgroup.freeze", "1")
	w.Close()
	has(t, filepath.Join(root, "a"), "cgroup.freeze", "0")
}

// A protected process in a child spares the whole cgroup, and so does a list
// that can not be read.
func TestFreezeSpares(t *testing.T) {
	root := tree(t, "a", "a/child", "b", "c")
	put(t, filepath.Join(root, "a", "child"), "cgroup.procs", "7\n42\n")
	put(t, filepath.Join(root, "b"), "cgroup.procs", "seven\n")
	put(t, filepath.Join(root, "c"), "cgroup.procs", "7\n")
	w := start(t, root, engine.Relief{Act: engine.Freeze, Cgroups: []string{"/*"}, For: time.Minute}, func(tools *Tools) {
		tools.Guard = func(pid int32) string { return map[int32]string{42: "42 is protected"}[pid] }
	})
	w.Begin(sys.Now())
	until(t, filepath.Join(root, "c"), "cgroup.freeze", "1")
	w.End()
	if r := w.result(t); r.Cgroups != 1 || r.Errno != sys.EPERM {
		t.Errorf("%+v", r)
	}
	has(t, filepath.Join(root, "a"), "cgroup.freeze", "0")
	has(t, filepath.Join(root, "b"), "cgroup.freeze", "0")
	if said := strings.Join(w.said, "\n"); !strings.Contains(said, "42 is protected") || !strings.Contains(said, `"seven`) {
		t.Errorf("said %q", said)
	}
}

// A dry run changes nothing, and says how many it would have reached.
func TestDry(t *testing.T) {
	root := tree(t, "a")
	for act, length := range map[engine.Act]time.Duration{engine.Freeze: 2 * time.Second, engine.Reclaim: time.Minute} {
		w := start(t, root, engine.Relief{Act: act, Cgroups: []string{"/a"}, Amount: 1, For: length}, func(tools *Tools) { tools.Dry = true })
		w.Begin(sys.Now())
		if r := w.result(t); r.Cgroups != 1 {
			t.Errorf("%v: %+v", act, r)
		}
	}
	has(t, filepath.Join(root, "a"), "memory.reclaim", "")
	has(t, filepath.Join(root, "a"), "cgroup.freeze", "0")
}

// What a daemon that was killed left frozen, the next one thaws; cgroups that are
// gone are forgotten.
func TestNote(t *testing.T) {
	root, path := tree(t, "a", "b"), filepath.Join(t.TempDir(), "run", "frozen")
	n, thawed, err := OpenNote(path)
	if err != nil || thawed != nil {
		t.Fatal(thawed, err)
	}
	a := filepath.Join(root, "a")
	for _, dir := range []string{a, filepath.Join(root, "b"), filepath.Join(root, "gone")} {
		n.add(dir)
	}
	n.remove(filepath.Join(root, "b"))
	put(t, a, "cgroup.freeze", "1")
	put(t, filepath.Join(root, "b"), "cgroup.freeze", "1")

	if _, thawed, err = OpenNote(path); err != nil || fmt.Sprint(thawed) != fmt.Sprint([]string{a}) {
		t.Errorf("thawed %v, %v", thawed, err)
	}
	has(t, a, "cgroup.freeze", "0")
	has(t, filepath.Join(root, "b"), "cgroup.freeze", "1")
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the note is there still: %v", err)
	}
	if _, _, err := OpenNote(filepath.Join(a, "memory.current", "frozen")); err == nil {
		t.Error("a file in place of a directory is no error")
	}
}
