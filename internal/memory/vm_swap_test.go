//go:build vm

package memory

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/internal/sys/systest"
	"github.com/lmkd/lmkd/pkg/pressure"
)

// swapHeader is mkswap(8).
func swapHeader(t *testing.T, path string, size uint64) {
	t.Helper()
	page := sys.Pagesize()
	b := make([]byte, page)
	binary.NativeEndian.PutUint32(b[1024:], 1)
	binary.NativeEndian.PutUint32(b[1028:], uint32(size/page-1))
	copy(b[page-10:], "SWAPSPACE2")
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// addZram makes another zram device and swap of it.
func addZram(t *testing.T, size uint64, priority int) string {
	t.Helper()
	id, err := os.ReadFile("/sys/class/zram-control/hot_add")
	if err != nil {
		t.Fatal(err)
	}
	name := "zram" + strings.TrimSpace(string(id))
	put(t, "/sys/block/"+name+"/disksize", "32M")
	swapHeader(t, "/dev/"+name, size)
	swapOnAt(t, "/dev/"+name, priority)
	return "/dev/" + name
}

// swapFile makes swap of a file on a disk.
func swapFile(t *testing.T, size uint64, priority int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "swap")
	if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
		t.Fatal(err)
	}
	swapHeader(t, path, size)
	swapOnAt(t, path, priority)
	return path
}

func swapOnAt(t *testing.T, path string, priority int) {
	t.Helper()
	if err := systest.SwapOnAt(path, priority); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = systest.SwapOff(path) })
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0); err != nil {
		t.Fatal(err)
	}
}

// swappedOut gives size bytes that compress to a half and lie in swap.
func swappedOut(t *testing.T, size int) []byte {
	t.Helper()
	memory := make([]byte, size)
	for i := range memory {
		if i&2048 != 0 {
			memory[i] = byte(i>>12 ^ i*i>>3 ^ i*7)
		}
	}
	if err := systest.PageOut(memory); err != nil {
		t.Fatal(err)
	}
	return memory
}

// freeSwap is what the linux profile takes for free swap.
func freeSwap(s *pressure.Sample) uint64 {
	p := pressure.Linux()
	v := pressure.Judge(&p, &pressure.State{}, &pressure.Input{Sample: s})
	return v.Facts.SwapFree
}

// TestVMSeveralSwapDevices: a zram device of high priority, a file on a disk behind
// it, and the zram device of the guest last. The first two are filled, and only the
// free part of zram costs memory.
func TestVMSeveralSwapDevices(t *testing.T) {
	r := open(t, "/")
	var before, s pressure.Sample
	read(t, r, &before)
	second := addZram(t, 32*mib, 100)
	swapFile(t, 48*mib, 0)
	read(t, r, &s)
	if added := s.Memory.SwapTotal - before.Memory.SwapTotal; added < 79*mib || added > 80*mib || r.zrams.count != 2 {
		t.Fatalf("%d bytes of swap and %d zram devices, after 80MiB on two more", added, r.zrams.count)
	}
	memory := swappedOut(t, 64*mib)
	read(t, r, &s)
	t.Logf("swap %d of %d MiB free, %+v", s.Memory.SwapFree/mib, s.Memory.SwapTotal/mib, s.Zram)
	used := s.Memory.SwapTotal - s.Memory.SwapFree
	if s.Zram.Size < 130*mib || s.Zram.Size > s.Memory.SwapTotal-47*mib || s.Zram.Used < 31*mib || used-s.Zram.Used < 30*mib {
		t.Errorf("64MiB are out, half on a zram device of 32, half on the disk: %d used, %+v", used, s.Zram)
	}
	free := freeSwap(&s)
	onDisk := s.Memory.SwapFree - (s.Zram.Size - s.Zram.Used)
	if free <= onDisk || free >= s.Memory.SwapFree {
		t.Errorf("free swap %d: %d on the disk counts whole, and of the rest a part; the kernel has %d", free, onDisk, s.Memory.SwapFree)
	}
	if err := systest.SwapOff(second); err != nil {
		t.Fatal(err)
	}
	read(t, r, &s)
	if r.zrams.count != 1 || s.Zram.Size > 101*mib {
		t.Errorf("after swapoff of the second: %d devices, %+v", r.zrams.count, s.Zram)
	}
	runtime.KeepAlive(memory)
}
