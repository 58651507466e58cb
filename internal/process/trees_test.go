package process

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lmkd/lmkd/pkg/victim"
)

var rewrite = flag.Bool("rewrite", false, "write testdata/*/candidates.txt anew")

// Every captured tree gives the candidates that stand beside it.
func TestTrees(t *testing.T) {
	sources, err := filepath.Glob("testdata/*/SOURCE")
	if err != nil || len(sources) == 0 {
		t.Fatal("no trees in testdata:", err)
	}
	for _, source := range sources {
		root := filepath.Dir(source)
		t.Run(filepath.Base(root), func(t *testing.T) {
			info := fields(t, filepath.Join(root, "proc/meminfo"))
			ask := linux()
			ask.RAM, ask.Swap, ask.SwapUsed = info["MemTotal"], info["SwapTotal"], info["SwapTotal"]-info["SwapFree"]
			found, stats := choose(t, open(t, root, Options{Cmdline: true}), ask)
			compare(t, filepath.Join(root, "candidates.txt"), describe(found, stats, winner(found, ask)))
			for i := range found {
				if p := &found[i]; p.RSS+p.SwapHint < p.RssAnon+p.RssShmem+p.Swap {
					t.Errorf("%s: hint %d, swapped out %d", p.Name(), p.SwapHint, p.Swap)
				}
			}
		})
	}
}

func describe(found []victim.Process, stats Stats, winner int32) string {
	var b strings.Builder
	for i := range found {
		p := &found[i]
		fmt.Fprintf(&b, "%d %q parent %d uid %d adj %d flags %012b threads %d start %d majflt %d\n",
			p.PID, p.Name(), p.PPID, p.UID, p.Adj, p.Flag, p.Threads, p.StartTime, p.MajorFaults)
		fmt.Fprintf(&b, "\tKiB: rss %d shared %d hint %d; anon %d file %d shmem %d swap %d locked %d huge %d tables %d\n",
			p.RSS>>10, p.Shared>>10, p.SwapHint>>10, p.RssAnon>>10, p.RssFile>>10, p.RssShmem>>10,
			p.Swap>>10, p.Locked>>10, p.Huge>>10, p.PageTable>>10)
		fmt.Fprintf(&b, "\tcgroup %q cmdline %q\n", p.Cgroup, p.Cmdline)
	}
	fmt.Fprintln(&b, "winner", winner)
	fmt.Fprintf(&b, "seen %d small %d detailed %d pages %d vanished %d hidden %d broken %d fault %v\n",
		stats.Seen, stats.Small, stats.Detailed, stats.Pages, stats.Vanished, stats.Hidden, stats.Broken, stats.Fault)
	for e, n := range stats.Refused {
		if n > 0 {
			fmt.Fprintln(&b, "refused", n, victim.Exclusion(e))
		}
	}
	return b.String()
}

func compare(t *testing.T, path, got string) {
	t.Helper()
	if *rewrite {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; got:\n%s", path, got)
	}
}
