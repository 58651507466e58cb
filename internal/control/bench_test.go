package control

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/lmkproto"
)

// openRegistry gives a registry of n processes, whose first one is given another
// oom_score_adj again and again.
func openRegistry(b testing.TB, n int) (*registry, *caller, []*exec.Cmd) {
	b.Helper()
	g := &registry{say: b.Logf}
	var e sys.Errno
	if g.proc.fd, e = sys.OpenPath("/proc", sys.ReadOnly|sys.Directory); e != 0 {
		b.Fatal(e)
	}
	var err error
	if g.epoll, err = sys.NewEpoll(8); err != nil {
		b.Fatal(err)
	}
	c := &caller{pid: int32(os.Getpid()), trusted: true}
	var all []*exec.Cmd
	for range n {
		cmd := exec.Command("sleep", "1000")
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		all = append(all, cmd)
		if err := g.register(c, &lmkproto.Proc{PID: pidOf(cmd), Adj: 900}); err != nil {
			b.Fatal(err)
		}
	}
	b.Cleanup(func() {
		for _, cmd := range all {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
		for len(g.records) > 0 {
			g.drop(0)
		}
		_ = g.epoll.Close()
		_ = g.proc.fd.Close()
	})
	return g, c, all
}

// BenchmarkRegister is one LMK_PROCPRIO of a known process, with the roll that is
// published after it.
func BenchmarkRegister(b *testing.B) {
	for _, n := range []int{1, 400} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			g, c, all := openRegistry(b, n)
			p := lmkproto.Proc{PID: pidOf(all[0]), Adj: 900}
			b.ReportAllocs()
			for b.Loop() {
				p.Adj ^= 1
				if err := g.register(c, &p); err != nil {
					b.Fatal(err)
				}
				g.publish()
			}
		})
	}
}

// BenchmarkRoll is what the loop pays to ask for what is registered.
func BenchmarkRoll(b *testing.B) {
	g, _, all := openRegistry(b, 400)
	g.publish()
	pid := pidOf(all[200])
	b.ReportAllocs()
	for b.Loop() {
		if g.Roll().Find(pid) == nil {
			b.Fatal("not registered")
		}
	}
}
