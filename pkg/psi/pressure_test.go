package psi

import (
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"github.com/lmkd/lmkd/internal/boxtest"
	"github.com/lmkd/lmkd/internal/sys"
)

const (
	job  = "LMKD_PSI_JOB"
	size = 32 << 20
)

// TestMain is also the process that the tests box.
func TestMain(m *testing.M) {
	if path := os.Getenv(job); path != "" {
		boxtest.Wait()
		stream(path)
	}
	os.Exit(m.Run())
}

// stream reads a file that is larger than the box again and again, so that
// every page needs another one freed, and the reader stalls for it.
func stream(path string) {
	f, err := os.Open(path)
	if err != nil {
		os.Exit(1)
	}
	for {
		if _, err := io.Copy(io.Discard, f); err != nil {
			os.Exit(1)
		}
		_, _ = f.Seek(0, io.SeekStart)
	}
}

// TestTriggerFires arms a trigger on a cgroup whose only process stalls on
// memory, and expects the kernel to speak.
func TestTriggerFires(t *testing.T) {
	path := t.TempDir() + "/holes"
	if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, 4*size)); err != nil {
		t.Fatal(err)
	}
	box := boxtest.New(t, size)
	want := Threshold{Some, 5 * time.Millisecond, time.Second}
	trigger, err := Arm(CgroupFile(box.V2), want)
	if errors.Is(err, ErrPrivilege) {
		t.Log(err)
		trigger, err = Arm(CgroupFile(box.V2), want.Unprivileged())
	}
	if err != nil {
		t.Fatal(err)
	}
	defer trigger.Close()
	poll := watch(t, trigger)
	expect(t, poll, 0, 0)

	hog := box.Start(t, job, path)
	expect(t, poll, time.Minute, sys.Pri)
	if p := read(t, trigger.Path()); p.Some.Total < uint64(trigger.Threshold().Stall.Microseconds()) {
		t.Errorf("fired at %+v, before %v", p, trigger.Threshold())
	}
	_ = hog.Process.Kill()
	_ = hog.Wait()
}

// TestCgroupGone removes the cgroup under a trigger.
func TestCgroupGone(t *testing.T) {
	box := boxtest.New(t, size)
	path := CgroupFile(box.V2)
	file, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	trigger, err := Arm(path, Threshold{Some, time.Second, FreeWindow})
	if err != nil {
		t.Fatal(err)
	}
	defer trigger.Close()
	poll := watch(t, trigger)
	if err := os.Remove(box.V2); err != nil {
		t.Fatal(err)
	}
	expect(t, poll, time.Minute, sys.Fail)
	if _, err := file.Read(make([]byte, BufferSize)); !errors.Is(err, ErrAbsent) {
		t.Errorf("Read of a cgroup that is gone: %v, want %v", err, ErrAbsent)
	}
	if _, err := Arm(path, trigger.Threshold()); !errors.Is(err, ErrAbsent) {
		t.Errorf("Arm on a cgroup that is gone: %v, want %v", err, ErrAbsent)
	}
}

func watch(t *testing.T, trigger *Trigger) *sys.Epoll {
	t.Helper()
	poll, err := sys.NewEpoll(1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = poll.Close() })
	if e := poll.Add(trigger.Fd(), sys.Pri, 1); e != 0 {
		t.Fatal(e)
	}
	return poll
}

// expect waits up to timeout for the bits, none of them when 0.
func expect(t *testing.T, poll *sys.Epoll, timeout time.Duration, bits uint32) {
	t.Helper()
	var events [1]sys.Event
	n, e := poll.Wait(events[:], int(timeout/time.Millisecond))
	if e != 0 || n == 1 != (bits != 0) || n == 1 && events[0].Ready&bits != bits {
		t.Fatalf("%d events, bits %#x, error %v, want bits %#x within %v", n, events[0].Ready, e, bits, timeout)
	}
}

func read(t *testing.T, path string) Pressure {
	t.Helper()
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p, err := f.Read(make([]byte, BufferSize))
	if err != nil {
		t.Fatal(err)
	}
	return p
}
