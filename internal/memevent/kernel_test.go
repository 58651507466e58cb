package memevent

import (
	"errors"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/lmkd/lmkd/internal/boxtest"
	"github.com/lmkd/lmkd/internal/sys"
)

const job = "LMKD_MEMEVENT_JOB"

// TestMain is also the process that the tests box: a hog that never stops.
func TestMain(m *testing.M) {
	if os.Getenv(job) == "hog" {
		boxtest.Wait()
		hog()
	}
	os.Exit(m.Run())
}

var held [][]byte

func hog() {
	for {
		b := make([]byte, 1<<20)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		held = append(held, b)
	}
}

// TestKernelKill lets the kernel's OOM killer kill a hog in a box and expects
// to hear of it.
func TestKernelKill(t *testing.T) {
	s, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	poll, err := sys.NewEpoll(1)
	if err != nil {
		t.Fatal(err)
	}
	defer poll.Close()
	if e := poll.Add(s.Fd(), sys.In, 1); e != 0 {
		t.Fatal(e)
	}
	from := sys.Now()
	hog := boxtest.New(t, 32<<20).Start(t, job, "hog")
	wake, st := untilVictim(t, s, poll, hog.Process.Pid)
	err = hog.Wait()
	t.Logf("wake %+v, state %+v, hog %d: %v; victims: %v", wake, st, hog.Process.Pid, err, s.Victims())
	if wake.Kinds&KernelOOM == 0 || wake.At < from || st.OOMKills == 0 || st.LastOOM < wake.At {
		t.Errorf("wake %+v, state %+v, want an OOM kill after %v", wake, st, from)
	}
	if err == nil || err.Error() != "signal: killed" {
		t.Errorf("the hog ended with %v", err)
	}
}

// untilVictim waits until pid is told as a victim: the machine may have others.
// Where victims are not told by pid, the first one is taken.
func untilVictim(t *testing.T, s *Source, poll *sys.Epoll, pid int) (Wake, State) {
	t.Helper()
	var events [1]sys.Event
	for {
		n, e := poll.Wait(events[:], int(time.Minute/time.Millisecond))
		if n != 1 || e != 0 {
			t.Fatalf("no wake within a minute of a hog in a box of 32 MiB: %d, %v", n, e)
		}
		wake, st := s.Drain(), s.State()
		if st.LastVictim == pid || st.LastVictim == 0 && s.Victims() != nil {
			return wake, st
		}
	}
}

// TestWithoutPrivilege opens in threads that lack a capability.
func TestWithoutPrivilege(t *testing.T) {
	for _, tt := range []struct {
		name string
		drop []uint
	}{
		{"no CAP_BPF", []uint{sys.CapSysAdmin, sys.CapBPF}},
		{"no CAP_PERFMON", []uint{sys.CapSysAdmin, sys.CapPerfmon}},
		{"neither", []uint{sys.CapSysAdmin, sys.CapBPF, sys.CapPerfmon}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := openWithout(t, tt.drop)
			t.Log(err)
			var e *Error
			if !errors.As(err, &e) || e.Cure != curePrivilege {
				t.Errorf("Open: %v, want the cure %q", err, curePrivilege)
			}
		})
	}
}

func openWithout(t *testing.T, caps []uint) error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread dies with us
		if err := sys.DropCapabilities(caps...); err != nil {
			t.Error(err)
		}
		s, err := Open()
		if err == nil {
			_ = s.Close()
		}
		result <- err
	}()
	return <-result
}
