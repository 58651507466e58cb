package vmpressure

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/pressure"
)

// levels are the words that the kernel knows, in rising order.
var levels = [...]pressure.Level{pressure.LevelLow, pressure.LevelMedium, pressure.LevelCritical}

// Listener has an eventfd for each level of one cgroup.
type Listener struct {
	events [len(levels)]*sys.Eventfd
}

// ErrNoController: the memory controller is not on cgroup v1 here.
var ErrNoController = errors.New("the memory controller is not on cgroup v1")

// Open listens to the whole machine: to the root of the hierarchy that has the
// memory controller in the mount table below root. ErrNoController when there is
// none.
func Open(root string) (*Listener, error) {
	dir, err := find(root)
	if err != nil {
		return nil, err
	}
	return Listen(dir)
}

// find gives the mount point of cgroup v1's memory controller.
func find(root string) (string, error) {
	mounts, err := os.ReadFile(filepath.Join(root, "proc/self/mounts"))
	if err != nil {
		return "", fmt.Errorf("look for cgroup v1: %w", err)
	}
	for line := range strings.Lines(string(mounts)) {
		f := strings.Fields(line)
		if len(f) > 3 && f[2] == "cgroup" && strings.Contains(","+f[3]+",", ",memory,") {
			return filepath.Join(root, f[1]), nil
		}
	}
	return "", ErrNoController
}

// Listen listens to the cgroup at dir and those below it.
func Listen(dir string) (*Listener, error) {
	l := &Listener{}
	for i, level := range levels {
		e, err := register(dir, level)
		if err != nil {
			l.Close()
			return nil, err
		}
		l.events[i] = e
	}
	return l, nil
}

// register asks for an eventfd to be signalled from level on: the kernel signals
// the levels below the one that it found, too.
func register(dir string, level pressure.Level) (*sys.Eventfd, error) {
	e, err := sys.NewEventfd()
	if err != nil {
		return nil, err
	}
	file, err := os.Open(filepath.Join(dir, "memory.pressure_level"))
	if err == nil {
		line := fmt.Sprintf("%d %d %s", e.Fd(), file.Fd(), level)
		err = os.WriteFile(filepath.Join(dir, "cgroup.event_control"), []byte(line), 0)
		_ = file.Close() // the registration holds the cgroup by itself
	}
	if err != nil {
		_ = e.Close()
		return nil, fmt.Errorf("listen to vmpressure %s: %w", level, err)
	}
	return e, nil
}

// Fds gives the descriptors that become readable, one a level.
func (l *Listener) Fds() (fds [len(levels)]int) {
	for i, e := range l.events {
		fds[i] = e.Fd()
	}
	return fds
}

// Drain takes the events back and gives the loudest, LevelNone without any. It
// neither blocks nor allocates.
func (l *Listener) Drain() pressure.Level {
	loudest := pressure.LevelNone
	for i, e := range l.events {
		if e.Clear() {
			loudest = levels[i]
		}
	}
	return loudest
}

// Close ends the registrations.
func (l *Listener) Close() {
	for _, e := range l.events {
		if e != nil {
			_ = e.Close()
		}
	}
}
