package machine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"time"

	"github.com/lmkd/lmkd/internal/sys"
)

// lateness says which limit the machine ran into.
type lateness int

const (
	inTime lateness = iota
	lateBoot
	lateEnd
)

// offGrace is how long a machine may take to turn itself off once the job's
// end is known.
const offGrace = 20 * time.Second

// Run runs the machine until it ends or a limit ends it. The error is about
// the host: a machine that failed is a Result. When ctx ends, so does the
// machine, and the error is ctx's.
func Run(ctx context.Context, c *Config) (*Result, error) {
	// The kernel kills QEMU when the thread that started it ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	col := newCollector(c)
	var lines sync.WaitGroup
	var ends []*os.File
	for _, read := range []func(*os.File){
		func(f *os.File) { col.console(f) },
		func(f *os.File) { col.frames(f) },
	} {
		r, w, err := os.Pipe()
		if err != nil {
			return nil, err
		}
		ends = append(ends, w)
		lines.Go(func() { read(r); _ = r.Close() })
	}
	late, said, err := runEmulator(ctx, c, col, ends)
	lines.Wait()
	if err != nil {
		return nil, err
	}
	if err := errors.Join(col.err, col.endFile()); err != nil {
		return nil, fmt.Errorf("take the guest's answer: %w", err)
	}
	r := &col.result
	r.Took = time.Since(col.started)
	r.Detail = said
	r.judge(col, late)
	return r, nil
}

// runEmulator starts QEMU, watches over its limits and waits for its end; said
// is what it wrote on its standard error.
func runEmulator(ctx context.Context, c *Config, col *collector, ends []*os.File) (late lateness, said string, err error) {
	var errs bytes.Buffer
	cmd := exec.Command(emulator, c.args()...)
	cmd.ExtraFiles = ends
	cmd.Stderr = &errs
	cmd.SysProcAttr = sys.DieWithParent()
	err = cmd.Start()
	for _, f := range ends {
		_ = f.Close()
	}
	if err != nil {
		return inTime, "", fmt.Errorf("start the emulator: %w", err)
	}
	gone := make(chan struct{})
	go func() {
		// Its exit code says less than its last words.
		_ = cmd.Wait()
		close(gone)
	}()
	late = watch(ctx, c, col, gone)
	_ = cmd.Process.Kill()
	<-gone
	return late, string(bytes.TrimSpace(errs.Bytes())), ctx.Err()
}

// watch returns when the machine is gone or has to be ended.
func watch(ctx context.Context, c *Config, col *collector, gone <-chan struct{}) lateness {
	boot, wall := time.NewTimer(c.BootWall), time.NewTimer(c.Wall)
	defer boot.Stop()
	defer wall.Stop()
	var off <-chan time.Time
	ready, done := col.ready, col.done
	for {
		select {
		case <-gone:
			return inTime
		case <-ctx.Done():
			return inTime
		case <-ready:
			ready = nil
			boot.Stop()
			if c.BootOnly {
				return inTime
			}
		case <-done:
			done = nil
			off = time.After(offGrace)
		case <-off:
			return inTime
		case <-boot.C:
			return lateBoot
		case <-wall.C:
			return lateEnd
		}
	}
}
