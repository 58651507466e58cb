//go:build vm

// These tests take a swap device away, and so need the guest of test/vm, with
// swap on zram.
package memory

import (
	"runtime"
	"testing"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/internal/sys/systest"
	"github.com/lmkd/lmkd/pkg/pressure"
)

const zramDevice = "/dev/zram0"

func TestVMZram(t *testing.T) {
	memory := make([]byte, 32<<20)
	for i := range memory {
		memory[i] = byte(i>>12 + i*i)
	}
	if err := systest.PageOut(memory); err != nil {
		t.Fatal(err)
	}
	r := open(t, "/")
	var s pressure.Sample
	read(t, r, &s)
	if used := s.Memory.SwapTotal - s.Memory.SwapFree; s.Zram.Size != s.Memory.SwapTotal || s.Zram.Used < 30<<20 || s.Zram.Used > used+(1<<20) {
		t.Errorf("swap is on zram alone, %d of %d used: %+v", used, s.Memory.SwapTotal, s.Zram)
	}
	if s.Has&pressure.HasZram == 0 || s.Zram.Original < 30<<20 || s.Zram.Compressed > s.Zram.Original || s.Zram.MemUsed == 0 {
		t.Fatalf("32 MiB were paged out: %+v, swap %d of %d free", s.Zram, s.Memory.SwapFree, s.Memory.SwapTotal)
	}
	t.Logf("%+v", s.Zram)
	if s.Counters.SwapOut == 0 {
		t.Errorf("%+v", s.Counters)
	}
	runtime.KeepAlive(memory)
}

// swapoff and swapon are noticed: by the next sample when one comes between
// them, and by the poll of /proc/swaps alone when none does.
func TestVMSwapComesAndGoes(t *testing.T) {
	r := open(t, "/")
	var s pressure.Sample
	read(t, r, &s)
	total := s.Memory.SwapTotal
	if total == 0 || r.zrams.count != 1 || r.zrams.changed(total) {
		t.Fatalf("%d bytes of swap, %d devices, changed %v", total, r.zrams.count, r.zrams.changed(total))
	}
	swapOff(t)
	read(t, r, &s)
	if s.Memory.SwapTotal != 0 || r.zrams.count != 0 || s.Has&pressure.HasZram != 0 || s.Zram.Size != 0 {
		t.Errorf("after swapoff: %+v, %d devices", s.Zram, r.zrams.count)
	}
	swapOn(t)
	read(t, r, &s)
	if s.Memory.SwapTotal != total || r.zrams.count != 1 || s.Zram.Size != total {
		t.Errorf("after swapon: %d bytes of swap, %d devices", s.Memory.SwapTotal, r.zrams.count)
	}
	swapOff(t)
	swapOn(t)
	if !r.zrams.changed(total) {
		t.Error("swapoff and swapon between two samples go unnoticed")
	}
	if r.zrams.changed(total) {
		t.Error("a change is seen twice")
	}
}

func swapOff(t *testing.T) {
	t.Helper()
	if err := systest.SwapOff(zramDevice); err != nil {
		t.Fatal(err)
	}
}

func swapOn(t *testing.T) {
	t.Helper()
	if err := sys.SwapOn(zramDevice); err != nil {
		t.Fatal(err)
	}
}
