package psi

import (
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/lmkd/lmkd/internal/sys"
)

// TestMachine holds Probe against what Arm meets, on whatever machine this
// runs: each state promises exactly which windows the kernel takes, and with
// which sentinel it refuses the others.
func TestMachine(t *testing.T) {
	path := MemoryFile("/")
	state, err := Probe(path)
	t.Logf("%s: %v: %v", path, state, err)
	if (err == nil) != (state == Works) {
		t.Errorf("Probe = %v with error %v", state, err)
	}
	expectState(t, path, state)
}

// TestMachineWithoutPrivilege does the same in a thread without
// CAP_SYS_RESOURCE, which only kernels before 5.13 let set every trigger: there
// the file's mode decides.
func TestMachineWithoutPrivilege(t *testing.T) {
	var done sync.WaitGroup
	done.Go(func() {
		runtime.LockOSThread() // never unlocked: the thread dies with us
		if err := sys.DropCapabilities(sys.CapSysResource); err != nil {
			t.Error(err)
		}
		path := MemoryFile("/")
		state, err := Probe(path)
		t.Logf("%s: %v: %v", path, state, err)
		if state == Works && sys.KernelAtLeast(sys.KernelRelease(), 5, 13) {
			t.Error("the kernel takes every trigger from a process without CAP_SYS_RESOURCE")
		}
		expectState(t, path, state)
	})
	done.Wait()
}

func expectState(t *testing.T, path string, state State) {
	t.Helper()
	promise := map[State]struct{ odd, even error }{
		Works:          {nil, nil},
		Limited:        {ErrPrivilege, nil},
		NeedsPrivilege: {ErrPrivilege, ErrPrivilege},
		Refuses:        {ErrRefused, ErrRefused},
		Off:            {ErrOff, ErrOff},
		Absent:         {ErrAbsent, ErrAbsent},
	}[state]
	for _, window := range []time.Duration{MinWindow, time.Second, 3 * time.Second} {
		expectArm(t, path, window, promise.odd)
	}
	for _, window := range []time.Duration{FreeWindow, MaxWindow} {
		expectArm(t, path, window, promise.even)
	}
}

func expectArm(t *testing.T, path string, window time.Duration, want error) {
	t.Helper()
	trigger, err := Arm(path, Threshold{Some, window / 10, window})
	if !errors.Is(err, want) {
		t.Errorf("Arm with a window of %v: %v, want %v", window, err, want)
	}
	if err == nil {
		quiet(t, trigger)
	}
}

// quiet checks that an armed trigger is a descriptor that an epoll takes.
func quiet(t *testing.T, trigger *Trigger) {
	t.Helper()
	poll, err := sys.NewEpoll(1)
	if err != nil {
		t.Error(err)
		return
	}
	defer poll.Close()
	if e := poll.Add(trigger.Fd(), sys.Pri, 1); e != 0 {
		t.Errorf("add trigger to an epoll: %v", e)
	}
	if err := trigger.Close(); err != nil {
		t.Error(err)
	}
}

// TestFile reads the machine's own file twice through one descriptor, into one
// buffer; where there is none, Open and Probe say the same.
func TestFile(t *testing.T) {
	f, err := Open(MemoryFile("/"))
	if err != nil {
		if state, probed := Probe(MemoryFile("/")); probed == nil || stateOf(err) != state {
			t.Errorf("Open: %v, Probe: %v, %v", err, state, probed)
		}
		return
	}
	defer f.Close()
	buf := make([]byte, BufferSize)
	first, err := f.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	second, err := f.Read(buf)
	if err != nil || second.Some.Total < first.Some.Total || !second.HasFull {
		t.Errorf("read %+v, then %+v, %v", first, second, err)
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = f.Read(buf) }); n != 0 {
		t.Errorf("Read allocates %v times", n)
	}
}

func TestFileTooSmallABuffer(t *testing.T) {
	path := MemoryFile(tree(t, map[string]string{"proc/pressure/memory": "some avg10=0.00 avg60=0.00 avg300=0.00 total=1234\n"}))
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if p, err := f.Read(make([]byte, 48)); err == nil {
		t.Errorf("a cut total was read as %d", p.Some.Total)
	}
}

func BenchmarkRead(b *testing.B) {
	f, err := Open(MemoryFile("/"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	buf := make([]byte, BufferSize)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.Read(buf); err != nil {
			b.Fatal(err)
		}
	}
}
