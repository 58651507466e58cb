package machine

import (
	"strings"
	"testing"

	"github.com/lmkd/lmkd/test/vm/wire"
)

// TestVerdicts: each way in which a machine can end is told from the others,
// and said in words of its own.
func TestVerdicts(t *testing.T) {
	ready := &wire.Ready{Kernel: "6.12"}
	for _, c := range []struct {
		name    string
		ready   *wire.Ready
		end     *wire.End
		console string
		late    lateness
		want    Verdict
		says    string
	}{
		{"ended well", ready, &wire.End{}, "", inTime, Exited, "exited with 0"},
		{"ended badly", ready, &wire.End{Code: 3}, "", inTime, Exited, "exited with 3"},
		{"killed", ready, &wire.End{Code: -1, Signal: 9}, "", inTime, Exited, "signal 9"},
		{"the kernel had to kill", ready, &wire.End{OOMKills: 2}, "", inTime, KernelOOM, "OOM killer killed 2"},
		{"a boxed hog", ready, &wire.End{OOMKills: 2, Boxed: 2}, "", inTime, Exited, "exited with 0"},
		{"one boxed, one not", ready, &wire.End{OOMKills: 2, Boxed: 1}, "", inTime, KernelOOM, "OOM killer killed 1"},
		{"panic", ready, nil, "[    4.8] Kernel panic - not syncing: Out of memory", inTime, Panicked, "panicked"},
		{"panic at boot", nil, nil, "[    0.8] Kernel panic - not syncing: VFS", inTime, Panicked, "panicked"},
		{"init gave up", nil, nil, wire.BootFailed + "find disk", inTime, BootFailed, "find disk"},
		{"no such program", nil, &wire.End{Code: -1, Failed: "start the job: no such file"}, "", inTime, BootFailed, "no such file"},
		{"silent", nil, nil, "", lateBoot, BootFailed, "did not come to run the job in"},
		{"silent to the end", nil, nil, "", lateEnd, BootFailed, "did not come to run the job in"},
		{"still running", ready, nil, "", lateEnd, WallLimit, "wall limit"},
		{"gone", ready, nil, "", inTime, Vanished, "without a word"},
	} {
		t.Run(c.name, func(t *testing.T) {
			col := newCollector(&Config{})
			col.consoleLine(c.console)
			r := &col.result
			r.Ready, r.End = c.ready, c.end
			r.judge(col, c.late)
			if r.Verdict != c.want || !strings.Contains(r.Sentence(), c.says) {
				t.Errorf("verdict %d (%s), want %d with %q", r.Verdict, r.Sentence(), c.want, c.says)
			}
		})
	}
}

// TestFileNames: the guest cannot write outside the directory for results.
func TestFileNames(t *testing.T) {
	c := newCollector(&Config{OutDir: t.TempDir()})
	for _, name := range []string{"../x", "/etc/passwd", "a/../../x", ""} {
		if err := c.frame(wire.KindFile, []byte(name)); err == nil {
			t.Errorf("a result file %q was taken", name)
		}
	}
	if err := c.frame(wire.KindFile, []byte("traces/a")); err != nil {
		t.Error(err)
	}
	if err := c.endFile(); err != nil {
		t.Error(err)
	}
}
