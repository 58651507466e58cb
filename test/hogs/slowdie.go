package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/test/vm/guest"
)

// defineSlowdie makes a victim whose pidfd is not ready for long after its
// SIGKILL:
//
//   - freeze: it sleeps uninterruptibly in a write to a frozen file system,
//     which a keeper thaws -hold after the SIGKILL. Its memory stays, unless
//     process_mrelease takes it.
//   - throttle: it sits in a cgroup with hardly any CPU time, in which it has
//     to tear its memory down itself.
//   - maps: its memory is in as many small mappings as the kernel allows.
func defineSlowdie(fs *flag.FlagSet) func() error {
	size := fs.Int("mb", 100, "`MB` to hold")
	how := fs.String("how", "freeze", "freeze, throttle or maps")
	dir := fs.String("dir", "/freeze", "a `directory` on a file system of its own, for freeze")
	delay := fs.Duration("hold", 3*time.Second, "`time` from SIGKILL to exit, for freeze")
	quota := fs.String("cpu", "1000 100000", "`QUOTA PERIOD` in microseconds, for throttle")
	return func() error {
		b, err := newFiller().eat(*size * mb)
		if err != nil {
			return err
		}
		switch *how {
		case "freeze":
			return getStuck(*dir, *delay)
		case "throttle":
			return getThrottled(*quota)
		case "maps":
			return split(b)
		}
		return fmt.Errorf("slowdie: no way to die %q", *how)
	}
}

// getStuck never returns unless the keeper fails.
func getStuck(dir string, delay time.Duration) error {
	f, err := os.Create(filepath.Join(dir, "stuck"))
	if err != nil {
		return err
	}
	keeper := exec.Command(self, "keeper", "-name", "keeper", "-adj", "-1000", "-dir", dir,
		"-pid", strconv.Itoa(os.Getpid()), "-hold", delay.String())
	keeper.Stderr = os.Stderr
	out, err := keeper.StdoutPipe()
	if err != nil {
		return err
	}
	if err := keeper.Start(); err != nil {
		return err
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "frozen\n" {
		return fmt.Errorf("the keeper said %q: %w", line, err)
	}
	fmt.Println("ready")
	// A raw write, so that the main thread is the one that sleeps in it.
	_, e := sys.Write(int(f.Fd()), []byte("x"))
	return errors.Join(errors.New("the file system was thawed"), sys.Err(e))
}

// defineKeeper freezes, waits for the victim's SIGKILL, and thaws: after a
// delay, or at once when the victim is gone.
func defineKeeper(fs *flag.FlagSet) func() error {
	dir := fs.String("dir", "/freeze", "what to freeze")
	pid := fs.Int("pid", 0, "the victim")
	delay := fs.Duration("hold", 3*time.Second, "from SIGKILL to thaw")
	return func() error {
		fd, e := sys.OpenPath(*dir, sys.ReadOnly|sys.Directory)
		if e != 0 {
			return fmt.Errorf("open %s: %w", *dir, e)
		}
		if e := sys.FreezeFS(fd.Int()); e != 0 {
			return fmt.Errorf("freeze %s: %w", *dir, e)
		}
		fmt.Println("frozen")
		for !killPending(*pid) {
			time.Sleep(tick)
		}
		time.Sleep(*delay)
		return sys.Err(sys.ThawFS(fd.Int()))
	}
}

// killPending reports whether SIGKILL waits for the process, or it is gone.
func killPending(pid int) bool {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return true
	}
	for line := range strings.Lines(string(status)) {
		key, value, _ := strings.Cut(line, ":")
		if key != "SigPnd" && key != "ShdPnd" {
			continue
		}
		mask, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
		if err == nil && mask>>(sys.SIGKILL-1)&1 == 1 {
			return true
		}
	}
	return false
}

// getThrottled moves this process to a cgroup with hardly any CPU time.
func getThrottled(quota string) error {
	if _, err := guest.Cgroup(fmt.Sprintf("slowdie-%d", os.Getpid()), os.Getpid(), map[string]string{"cpu.max": quota}); err != nil {
		return err
	}
	fmt.Println("ready")
	return hold()
}

// split makes a mapping of its own of each page, up to the kernel's limit
// (vm.max_map_count, 65530).
func split(b []byte) error {
	page := int(sys.Pagesize())
	for at := 0; at+2*page <= len(b); at += 2 * page {
		if e := sys.ProtectRead(b[at : at+page]); e != 0 {
			break
		}
	}
	fmt.Println("ready")
	return hold()
}
