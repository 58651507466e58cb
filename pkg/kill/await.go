package kill

import (
	"context"

	"github.com/lmkd/lmkd/internal/sys"
)

// await waits until every descriptor is readable, or ctx is done: its cause is
// the error. It blocks a thread in the kernel, and no timer runs but ctx's.
func await(ctx context.Context, fds []int) error {
	return awaitReady(ctx, fds, sys.In, func() bool { return false })
}

// awaitReady waits until every descriptor has been ready once, or enough says
// so: it is asked before the first wait and after each readiness.
func awaitReady(ctx context.Context, fds []int, ready uint32, enough func() bool) error {
	poll, err := sys.NewEpoll(16)
	if err != nil {
		return err
	}
	defer func() { _ = poll.Close() }()
	bell, err := sys.NewEventfd()
	if err != nil {
		return err
	}
	defer func() { _ = bell.Close() }()
	rung := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { bell.Notify(); close(rung) })
	defer func() {
		if !stop() {
			<-rung // it may be about to ring a bell that is closed
		}
	}()
	if e := poll.Add(bell.Fd(), sys.In, ^uint64(0)); e != 0 {
		return &sys.OpError{Doing: "watch for the end of waiting", Errno: e}
	}
	for i, fd := range fds {
		if e := poll.Add(fd, ready, uint64(i)); e != 0 {
			return &sys.OpError{Doing: "watch for the exit", Errno: e}
		}
	}
	return collect(ctx, poll, fds, ready, enough)
}

func collect(ctx context.Context, poll *sys.Epoll, fds []int, ready uint32, enough func() bool) error {
	var events [16]sys.Event
	for left := len(fds); left > 0 && !enough(); {
		n, e := poll.Wait(events[:], -1)
		if e != 0 {
			return &sys.OpError{Doing: "wait for the exit", Errno: e}
		}
		over := false
		for _, ev := range events[:n] {
			if ev.Token == ^uint64(0) {
				over = true
				continue
			}
			if ready == sys.In { // an exit happens once; a change of a file may again
				left--
				_ = poll.Remove(fds[ev.Token])
			}
		}
		if over && left > 0 && !enough() {
			return context.Cause(ctx)
		}
	}
	return nil
}
