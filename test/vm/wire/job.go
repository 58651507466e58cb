package wire

// The places of the payload disk, the same in the small and the full guest.
const (
	Root    = "/vm"           // where the payload disk is mounted
	JobFile = Root + "/job"   // the Job as JSON
	BinDir  = Root + "/bin"   // programs that were shipped
	WorkDir = Root + "/work"  // the module's tree, as far as it was shipped
	OutDir  = Root + "/out"   // what the job leaves here comes back to the host
	TempDir = Root + "/tmp"   // TMPDIR of the job, on the disk and not in memory
	Overlay = Root + "/root"  // copied over the guest's / before the job starts
	Bulk    = "/bulk"         // where the disk with the big file is mounted
	Freeze  = "/freeze"       // a small file system of its own, made to be frozen
	Agent   = Root + "/agent" // the guest's side of this package
)

// The serial numbers by which the guest finds its disks.
const (
	DiskPayload = "vm-payload"
	DiskBulk    = "vm-bulk"
	DiskFreeze  = "vm-freeze"
	DiskSystem  = "vm-system"
)

// Job is what the guest runs.
type Job struct {
	Argv []string // Argv[0] is a path in the guest
	Env  []string // KEY=VALUE, all there is
	Dir  string   // the working directory
	Zram uint64   // bytes of swap on zram, 0 for none
}

// End is how the job ended, as the guest saw it.
type End struct {
	Code     int      // exit code, -1 when a signal ended it
	Signal   int      // that signal
	Failed   string   // why the job could not be run at all
	OOMKills uint64   // oom_kill of /proc/vmstat: memory cgroups' kills count too
	Boxed    uint64   // those of them that the kernel's log says were of a limited memory cgroup
	OOMLines []string // the kernel's own lines about them, the first few
	Uptime   float64  // seconds since boot, guest clock
}

// Machine is the number of kills because the machine itself ran out of memory.
// A log that was overwritten makes it too large, never too small.
func (e *End) Machine() uint64 { return e.OOMKills - min(e.Boxed, e.OOMKills) }

// Ready is the guest's first word: it booted, and is about to run the job.
type Ready struct {
	Kernel string  // uname's release
	Uptime float64 // seconds since boot, guest clock
}

// BootFailed begins the line on the console by which the guest says that it
// cannot run any job; the reason follows.
const BootFailed = "vm: guest failed: "
