package taskiter

import "unsafe"

// The counters of an address space, in the order of the kernel
// (include/linux/mm_types_task.h, since Linux 4.5).
const (
	filePages = iota
	anonPages
	swapEntries
	shmemPages
	kinds
)

// Task is the record of one process: the kernel's own counts at the moment at
// which the pass came by.
type Task struct {
	PID    int32
	flags  uint32
	adj    int64
	counts [kinds]int64
}

// Size is that of a record; a buffer for a pass is a multiple of it.
const Size = int(unsafe.Sizeof(Task{}))

const (
	kernelThread = 0x00200000 // PF_KTHREAD
	noMemory     = 1 << 16    // in place of an adj
)

// Next takes the first record off what was read, nil when there is none. It
// points into buf, which must be aligned as a Task is.
func Next(buf []byte) (task *Task, rest []byte) {
	if len(buf) < Size {
		return nil, nil
	}
	return (*Task)(unsafe.Pointer(&buf[0])), buf[Size:]
}

// Kernel reports whether it is a kernel thread.
func (t *Task) Kernel() bool { return t.flags&kernelThread != 0 }

// Memory reports whether the leader has an address space. One that has none is
// a zombie, or has exited before its threads: then nothing is known of the
// process but its pid.
func (t *Task) Memory() bool { return t.adj != noMemory }

// Adj is its oom_score_adj.
func (t *Task) Adj() int16 { return int16(t.adj) }

// Resident and Shared are statm's pages of the same name, Swapped what is out
// on swap. A counter may be below 0 for a moment.
func (t *Task) Resident() uint64 { return t.pages(anonPages) + t.Shared() }

// Shared are the resident pages of files and of shared memory.
func (t *Task) Shared() uint64 { return t.pages(filePages) + t.pages(shmemPages) }

// Swapped are the pages on swap.
func (t *Task) Swapped() uint64 { return t.pages(swapEntries) }

func (t *Task) pages(kind int) uint64 { return uint64(max(0, t.counts[kind])) }
