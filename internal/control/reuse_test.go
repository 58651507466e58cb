package control

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/lmkd/lmkd/pkg/lmkproto"
)

// lastPID is where root says which pid the next process shall not have before it
// (Documentation/admin-guide/sysctl/kernel.rst, ns_last_pid).
const lastPID = "/proc/sys/kernel/ns_last_pid"

// reuse ends a process and starts another with its pid.
func reuse(t *testing.T, cmd *exec.Cmd) *exec.Cmd {
	t.Helper()
	pid := cmd.Process.Pid
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	for range 200 {
		if err := os.WriteFile(lastPID, fmt.Append(nil, pid-1), 0); err != nil {
			t.Skip(err)
		}
		next := exec.Command("sleep", "1000")
		if err := next.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = next.Process.Kill(); _ = next.Wait() })
		if next.Process.Pid == pid {
			return next
		}
	}
	t.Skip("others are always quicker to take the pid")
	return nil
}

// A process that took the pid of a registered one is a stranger: neither its
// client's word nor its owner count for it.
func TestPIDIsReused(t *testing.T) {
	g, owner, all := openRegistry(t, 1)
	pid := pidOf(all[0])
	g.publish()
	old := *g.Roll().Find(pid)
	// Nobody looks at the epoll here: the record is still there when the pid is
	// another's.
	reuse(t, all[0])
	if err := g.remove(owner, pid); err != nil || len(g.records) != 0 {
		t.Errorf("the record of a process that is gone: %v, %d records", err, len(g.records))
	}
	other := &caller{pid: 77, trusted: true}
	if err := g.register(other, &lmkproto.Proc{PID: pid, Adj: 100}); err != nil {
		t.Fatal(err)
	}
	g.publish()
	// Start times are ticks of 10 ms: within one they may be the same.
	if now := g.Roll().Find(pid); now.Turn == old.Turn || now.Adj != 100 {
		t.Errorf("was %+v, is %+v", old, *now)
	}
}

// The same without anybody noticing before the next registration.
func TestPIDIsReusedAndRegistered(t *testing.T) {
	g, _, all := openRegistry(t, 1)
	pid := pidOf(all[0])
	old := g.records[0]
	reuse(t, all[0])
	other := &caller{pid: 77, trusted: true}
	if err := g.register(other, &lmkproto.Proc{PID: pid, Adj: 100}); err != nil {
		t.Fatal("the owner of the one that is gone was asked: ", err)
	}
	if r := g.records[0]; len(g.records) != 1 || r == old || r.owner != 77 || r.gone() {
		t.Errorf("%d records, %+v", len(g.records), r.Registration)
	}
}

// There is room for so many of one untrusted user, and for so many in all.
func TestThereIsRoomForSoMany(t *testing.T) {
	g, _, _ := openRegistry(t, 1)
	for range maxUntrusted {
		g.records = append(g.records, &entry{keeper: 5})
	}
	defer func() { g.records = g.records[:1] }()
	if err := g.room(&caller{uid: 5}); err == nil {
		t.Error("an untrusted user may register without end")
	}
	if g.room(&caller{uid: 6}) != nil || g.room(&caller{uid: 5, trusted: true}) != nil {
		t.Error("others pay for it")
	}
	for len(g.records) < maxRecords {
		g.records = append(g.records, &entry{keeper: 6})
	}
	if err := g.room(&caller{trusted: true}); err == nil {
		t.Error("there is no end")
	}

}
