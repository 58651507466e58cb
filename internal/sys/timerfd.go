package sys

import (
	"time"

	"golang.org/x/sys/unix"
)

// Timerfd is a timer on CLOCK_MONOTONIC that a thread waits for by reading
// (timerfd_create(2)). Disarmed it wakes nobody.
type Timerfd struct{ fd FD }

// NewTimerfd makes a disarmed timer.
func NewTimerfd() (*Timerfd, error) {
	n, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC)
	if err != nil {
		return nil, &OpError{"create timerfd", errno(err)}
	}
	return &Timerfd{NewFD(n)}, nil
}

// Arm lets the timer expire after d and then again every d; 0 disarms it. It
// never blocks and never allocates.
func (t *Timerfd) Arm(d time.Duration) {
	ts := unix.NsecToTimespec(int64(d))
	spec := unix.ItimerSpec{Value: ts, Interval: ts}
	_ = unix.TimerfdSettime(t.fd.Int(), 0, &spec, nil)
}

// Wait blocks until the timer expires and gives how often it did since the last
// Wait, 0 when the descriptor is closed.
func (t *Timerfd) Wait() int {
	var b [8]byte
	n, e := Read(t.fd.Int(), b[:])
	if e != 0 || n != len(b) {
		return 0
	}
	return int(b[0]) // more than 255 expiries at once mean no more than one
}

// Fd gives the descriptor, readable when the timer has expired.
func (t *Timerfd) Fd() int { return t.fd.Int() }

// Close gives the descriptor back.
func (t *Timerfd) Close() error { return t.fd.Close() }
