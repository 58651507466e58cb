package process

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/victim"
)

// Options are what a Table is opened with.
type Options struct {
	// Own is the pid of the daemon, whose ancestors are found by the parents
	// that stat names; 0 when the root is a captured tree.
	Own int32
	// Finalists is how many processes a page of a choice keeps; 0 means 64.
	Finalists int
	// Tasks replaces the files of phase one where the kernel can be asked so;
	// nil for the files alone.
	Tasks Tasks
	// Cmdline says that finalists get their command line. Its pages belong to
	// the process: to read them may mean to wait for its mmap_lock, or for
	// its swap, so that it is off unless a rule needs it.
	Cmdline bool
}

// The sizes of the buffers; only what is used is ever resident.
const (
	direntSize    = 32 << 10
	lineSize      = 8 << 10 // longer than any line that matters: PATH_MAX and some
	textSize      = 64 << 10
	maxCmdline    = 2 << 10
	statSize      = 1 << 10
	quickSize     = statSize // no file that may wait is read into so little
	maxAncestors  = 32
	someFinalists = 64
	// explained is how many finalists are looked at closely even when they
	// can not win, so that an explanation has losers to show.
	explained = 8
	// mostDetailed is after how many a search ends that cannot settle who is
	// best; phase two of so many takes some 40 ms.
	mostDetailed = 1024
	manyRows     = 1024 // the least there is room for
	// broodRoom is kept for the parents of broods, who come after all else.
	broodRoom = 2
)

// Table reads the processes of one machine, or of a captured tree. It owns its
// descriptors until Close, and is not safe for concurrent use.
type Table struct {
	proc sys.FD
	// spare are given up when no other descriptor is to be had: one for a
	// directory of threads and one for a file in it.
	spare [2]sys.FD
	// read is readFile; tests put a kernel that fails in its place.
	read func(dir int, path []byte, off int64, buf []byte) (int, sys.Errno)
	// xattr is sys.GetXattr; tests put others in its place too.
	xattr func(fd int, name, buf []byte) (int, sys.Errno)

	options  Options
	pageSize uint64
	cpus     int
	cgroups  bool // the kernel has them
	onV1     bool // the memory of the process that is read is charged in version 1
	scores   bool // oom_score follows the formula of Linux 5.9

	dirents, line, text []byte
	entries             []byte // of cgroups, a part for each depth; nil before the first Subtree
	textUsed            int
	path                []byte
	prefix              int // the length of "PID" or "PID/task/TID" in path
	own                 [maxAncestors]int32
	owned               int

	groupRoot  sys.FD // of cgroups of version 2
	groupDir   string // its path
	groups     [mostGroups]group
	groupsRead int

	units     [mostUnits]unit
	unitsUsed int
	kin       []kin
	kinRead   bool
	members   []int32
	member    victim.Process

	ask     Ask
	roll    *victim.Roll // what clients registered, nil for nothing
	adj     int16        // oom_score_adj of the process that was read last, as the kernel has it
	machine machine
	byScore bool   // sizes come from oom_score, for there is much in swap
	floor   uint64 // bytes of RSS under which a process is left for later
	lowest  int16  // oom_score_adj below which nobody can be chosen
	// promotes is true when a rule can put a process first: all that are worth
	// a kill are then marked in phase one.
	promotes   bool
	recalled   bool   // the rows are remembered ones
	walked     bool   // the rows are of a pass in the kernel
	behind     uint64 // bytes that its counts may lack
	youngSince uint64 // clock ticks since boot, 0 when nobody is young
	base       baseline
	current    current
	pids       []int32
	texts      texts
	marked     victim.Process
	rows       []row
	short      *victim.Shortlist
	after      victim.Process
	one        victim.Process
	found      []victim.Process
	stats      Stats
}

// Open opens the process table below root: "/", or the directory of a captured
// tree.
func Open(root string, o Options) (*Table, error) {
	dir := filepath.Join(root, "proc")
	proc, e := sys.OpenPath(dir, sys.ReadOnly|sys.Directory)
	if e != 0 {
		return nil, &sys.OpError{Doing: "open " + dir, Errno: e}
	}
	if o.Finalists <= 0 {
		o.Finalists = someFinalists
	}
	t := &Table{
		proc: proc, read: readFile, xattr: sys.GetXattr, options: o, pageSize: sys.Pagesize(), cpus: countCPUs(root),
		dirents: make([]byte, direntSize), line: make([]byte, lineSize), text: make([]byte, textSize),
		path: make([]byte, 0, 512), short: victim.NewShortlist(o.Finalists),
		found: make([]victim.Process, 0, max(o.Finalists, explained+broodRoom+dyingRoom)),
	}
	t.scores = sys.KernelAtLeast(sys.KernelRelease(), 5, 9)
	t.cgroups = exists(filepath.Join(dir, "cgroups"))
	t.openGroups(filepath.Join(root, "sys/fs/cgroup"))
	t.keepSpare()
	if err := t.makeRoom(); err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
}

// makeRoom sizes the rows for twice the processes of today, so that a choice
// under pressure does not have to.
func (t *Table) makeRoom() error {
	n := 0
	err := t.list(func(int32) { n++ })
	t.rows = make([]row, 0, max(2*n, manyRows))
	t.base.sizes = make([]size, 0, cap(t.rows))
	t.current.rows = make([]row, 0, cap(t.rows))
	t.kin = make([]kin, 0, cap(t.rows))
	t.members = make([]int32, 0, mostMembers)
	t.pids = make([]int32, 0, cap(t.rows))
	return err
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// Close gives the descriptors back.
func (t *Table) Close() {
	_ = t.proc.Close()
	_ = t.groupRoot.Close()
	t.giveUpSpare()
}

// countCPUs gives how many CPUs the machine may have.
func countCPUs(root string) int {
	b, err := os.ReadFile(filepath.Join(root, "sys/devices/system/cpu/possible"))
	if err != nil {
		return runtime.NumCPU()
	}
	b = bytes.TrimSpace(b)
	last, err := strconv.Atoi(string(b[bytes.LastIndexAny(b, "-,")+1:]))
	if err != nil {
		return runtime.NumCPU()
	}
	return last + 1
}

// SeesAll reports whether the daemon may see processes of other users: false
// when /proc is mounted with hidepid and the daemon is not exempt from it.
func (t *Table) SeesAll() bool {
	t.setProcess(1)
	var buf [statmSize]byte
	_, e := t.file("statm", 0, buf[:])
	return e == 0
}

// setProcess makes file read below the directory of pid.
func (t *Table) setProcess(pid int32) {
	t.path = strconv.AppendInt(t.path[:0], int64(pid), 10)
	t.prefix = len(t.path)
}

// setThread makes file read below the directory of a thread of pid.
func (t *Table) setThread(pid, tid int32) {
	t.path = append(strconv.AppendInt(t.path[:0], int64(pid), 10), "/task/"...)
	t.path = strconv.AppendInt(t.path, int64(tid), 10)
	t.prefix = len(t.path)
}

// setName completes path: the file name of the process that was set, with its NUL.
func (t *Table) setName(name string) []byte {
	t.path = append(append(append(t.path[:t.prefix], '/'), name...), 0)
	return t.path
}

// file reads one file of the process that was set, from off, into buf. When no
// descriptor is to be had it gives up the spare ones, which come back at the
// end of the choice: it must be possible on a machine with a full table.
func (t *Table) file(name string, off int64, buf []byte) (int, sys.Errno) {
	n, e := t.read(t.proc.Int(), t.setName(name), off, buf)
	if tableIsFull(e) && t.giveUpSpare() {
		n, e = t.read(t.proc.Int(), t.path, off, buf)
	}
	return n, e
}

// directory opens a directory of the process that was set in the same way.
func (t *Table) directory(name string) (sys.FD, sys.Errno) {
	fd, e := sys.OpenAt(t.proc.Int(), t.setName(name), sys.ReadOnly|sys.Directory)
	if tableIsFull(e) && t.giveUpSpare() {
		fd, e = sys.OpenAt(t.proc.Int(), t.path, sys.ReadOnly|sys.Directory)
	}
	return fd, e
}

func tableIsFull(e sys.Errno) bool { return e == sys.EMFILE || e == sys.ENFILE }

// giveUpSpare reports whether there was a spare descriptor to give up.
func (t *Table) giveUpSpare() (had bool) {
	for i := range t.spare {
		had = had || t.spare[i].Open()
		_ = t.spare[i].Close()
	}
	return had
}

// readFile reads a file of a process: the cheap ones, which make nobody wait, by
// the shortest way. cgroup may wait for the kernel's cgroup_mutex (before Linux
// 6.8), and cmdline for the mmap_lock of the process.
func readFile(dir int, path []byte, off int64, buf []byte) (int, sys.Errno) {
	if off == 0 && len(buf) <= quickSize {
		return sys.ReadQuickAt(dir, path, buf)
	}
	return sys.ReadOnceAt(dir, path, off, buf)
}

// keepSpare opens the spare descriptors that were given up.
func (t *Table) keepSpare() {
	for i := range t.spare {
		if !t.spare[i].Open() {
			t.spare[i], _ = sys.OpenAt(t.proc.Int(), []byte(".\x00"), sys.PathOnly|sys.Directory)
		}
	}
}

// findOwn notes the daemon and its ancestors, who may change when a parent
// exits. Without an answer the last ones stay.
func (t *Table) findOwn() {
	if t.options.Own == 0 {
		return
	}
	n := 0
	for pid := t.options.Own; pid > 1 && n < len(t.own); n++ {
		t.own[n] = pid
		t.setProcess(pid)
		s, e, err := t.readStat()
		if e != 0 || err != nil {
			return
		}
		pid = s.ppid
	}
	t.owned = n
}

func (t *Table) isOwn(pid int32) bool {
	for _, own := range t.own[:t.owned] {
		if own == pid {
			return true
		}
	}
	return false
}
