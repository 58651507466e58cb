package taskiter

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/rlimit"

	"github.com/lmkd/lmkd/internal/sys"
)

// Cure is what to do about an error of Open.
const Cure = "use a 64-bit Linux 5.8 or newer with CONFIG_DEBUG_INFO_BTF and CONFIG_BPF_SYSCALL, in the initial pid namespace, " +
	"and give the process CAP_BPF and CAP_PERFMON, or CAP_SYS_ADMIN"

// Iter begins passes. Its methods may be called from any thread.
type Iter struct {
	program *ebpf.Program
	link    *link.Iter
	delayed bool
}

// Possible tells at little cost whether Open has what it needs, but for
// privileges: nil, or what is missing.
func Possible() error {
	if unsafe.Sizeof(uintptr(0)) != 8 {
		return errors.New("open a task iterator: no 64-bit program")
	}
	if !sys.InitialPIDNamespace() {
		return errors.New("open a task iterator: not in the initial pid namespace")
	}
	_, err := os.Stat("/sys/kernel/btf/vmlinux")
	return err
}

// Open loads the program, and lets a first pass find this process.
func Open() (*Iter, error) {
	if err := Possible(); err != nil {
		return nil, err
	}
	kernel, err := btf.LoadKernelSpec()
	if err != nil {
		return nil, fmt.Errorf("read the kernel's types: %w", err)
	}
	l, err := readLayout(kernel)
	if err != nil {
		return nil, fmt.Errorf("read the kernel's types: %w", err)
	}
	it := &Iter{delayed: l.delayed}
	if err := it.load(&l); err != nil {
		return nil, errors.Join(err, it.Close())
	}
	if err := it.compare(); err != nil {
		return nil, errors.Join(err, it.Close())
	}
	return it, nil
}

func (it *Iter) load(l *layout) (err error) {
	// Kernels before 5.11 charge programs to RLIMIT_MEMLOCK. A refusal shows
	// in the load.
	_ = rlimit.RemoveMemlock()
	spec := &ebpf.ProgramSpec{
		Name: "lmkd_tasks", Type: ebpf.Tracing, AttachType: ebpf.AttachTraceIter, AttachTo: "task",
		Instructions: program(l), License: license,
	}
	if it.program, err = ebpf.NewProgram(spec); err != nil {
		return fmt.Errorf("load a BPF iterator over tasks: %w", err)
	}
	if it.link, err = link.AttachIter(link.IterOptions{Program: it.program}); err != nil {
		return fmt.Errorf("attach a BPF iterator over tasks: %w", err)
	}
	return nil
}

// Begin opens a pass: records are read from it until its end, in the order of
// their pids. The caller closes it.
func (it *Iter) Begin() (sys.FD, sys.Errno) { return sys.BPFIterCreate(it.link.FD()) }

// Delayed reports whether each count may be behind the truth by a batch on each
// CPU (lib/percpu_counter.c): Linux 6.2 and newer.
func (it *Iter) Delayed() bool { return it.delayed }

// Close gives everything back.
func (it *Iter) Close() (err error) {
	if it.link != nil {
		err = it.link.Close()
	}
	if it.program != nil {
		err = errors.Join(err, it.program.Close())
	}
	return err
}

// compare lets a pass find this process, and holds what it says to /proc. The
// two are read one after the other, and this process is at work meanwhile.
func (it *Iter) compare() error {
	self, err := it.find(int32(sys.Getpid()))
	if err != nil {
		return err
	}
	var resident, all uint64
	var adj int16
	for _, f := range []struct {
		name string
		into []any
	}{{"statm", []any{&all, &resident}}, {"oom_score_adj", []any{&adj}}} {
		text, err := os.ReadFile("/proc/self/" + f.name)
		if err == nil {
			_, err = fmt.Fscan(strings.NewReader(string(text)), f.into...)
		}
		if err != nil {
			return fmt.Errorf("compare a BPF iterator with /proc: %w", err)
		}
	}
	const atWork = 1024 // pages; counters of many CPUs are further behind
	if self.Adj() != adj || self.Kernel() || far(self.Resident(), resident, atWork) {
		return fmt.Errorf("compare a BPF iterator with /proc: it says %d pages and adj %d, which are %d and %d: it is not believed",
			self.Resident(), self.Adj(), resident, adj)
	}
	return nil
}

// far tells whether the two differ by more than a little and half of the larger.
func far(a, b, little uint64) bool {
	return max(a, b)-min(a, b) > little+max(a, b)/2
}

// find makes a whole pass, whose pids must ascend.
func (it *Iter) find(pid int32) (found Task, err error) {
	fd, e := it.Begin()
	if e != 0 {
		return Task{}, fmt.Errorf("begin a BPF iterator: %w", e)
	}
	defer func() { _ = fd.Close() }()
	buf := make([]byte, 512*Size)
	last := int32(0)
	for {
		n, e := sys.Read(fd.Int(), buf)
		if e != 0 {
			return Task{}, fmt.Errorf("read a BPF iterator: %w", e)
		}
		if n == 0 {
			break
		}
		for t, rest := Next(buf[:n]); t != nil; t, rest = Next(rest) {
			if t.PID <= last {
				return Task{}, fmt.Errorf("read a BPF iterator: pid %d after %d", t.PID, last)
			}
			if last = t.PID; last == pid {
				found = *t
			}
		}
	}
	if found.PID != pid {
		return Task{}, errors.New("read a BPF iterator: it does not know this process")
	}
	return found, nil
}
