package victim

// Flag is a fact about a process that a ranking needs.
type Flag uint32

// The facts of a process. Detailed is set by phase two.
const (
	Kernel          Flag = 1 << iota // a kernel thread: no memory of its own
	Zombie                           // dead, waiting to be reaped, no living thread
	Own                              // the daemon itself or one of its ancestors
	Detailed                         // the fields of phase two are filled
	Dying                            // a fatal signal is on its way, or PF_EXITING
	Vanished                         // gone between the phases
	CoreDumping                      // status says CoreDumping: 1
	Traced                           // TracerPid is not 0
	Registered                       // a client registered it: Adj is the client's word, unless the policy has the kernel's
	InitOfNS                         // PID 1 of a pid namespace
	Unkillable                       // the kernel refuses the daemon's signals to it
	Uninterruptible                  // state D
	LeadsSession                     // its session has its pid
	Young                            // it started in this episode, or just before
	Unregistered                     // no client registered it, and only such may die
	Avoided                          // its cgroup has ManagedOOMPreference=avoid
	Omitted                          // its cgroup has ManagedOOMPreference=omit
	Orphan                           // its parent has ended, and init or a manager took it
)

// CommSize is the length of the kernel's task name with room for its end
// (TASK_COMM_LEN); kernel threads may show longer names, which are cut.
const CommSize = 16

// Process is one thread group, as /proc/PID shows it. Sizes are bytes. Phase
// one fills PID, Adj, RSS and Shared of every process (statm, oom_score_adj);
// phase two fills the rest for the few that can still win (stat, status,
// cgroup, cmdline).
type Process struct {
	PID  int32
	Adj  int16 // oom_score_adj, -1000 to 1000
	Flag Flag
	RSS  uint64 // resident pages of statm times the page size

	// Shared is statm's file and shmem part of RSS.
	Shared uint64

	// Idle is phase one's estimate of the file pages in Shared that a kill does not
	// give back, never above the truth; 0 when it is not known.
	Idle uint64

	// SwapHint is phase one's estimate of what is swapped out, from
	// oom_score, never below the truth; 0 when no swap is in use.
	SwapHint uint64

	PPID        int32
	Group       int32 // its process group
	Session     int32
	UID         uint32
	Threads     int32
	StartTime   uint64 // clock ticks since boot, field 22 of stat: with PID, the identity
	RssAnon     uint64 // status
	RssFile     uint64 // status
	RssShmem    uint64 // status
	Joint       uint64 // of RssShmem, what others have too: see Disjoin
	Swap        uint64 // VmSwap of status
	Locked      uint64 // VmLck of status
	Huge        uint64 // HugetlbPages of status
	PageTable   uint64 // VmPTE of status
	Growth      uint64 // grown in this episode, 0 when unknown; of phase one, never below the truth
	Brood       uint64 // what its young children would give back: it is chosen with them
	MajorFaults uint64 // majflt of stat, since its start

	Children int32 // how many they are

	Turn uint64 // of its Registration

	// What the others of its unit, who die with it, would give back, and how many
	// they are; those of the unit who live on, "PID NAME" each, ended by NUL.
	Unit    uint64
	Members int32
	Spared  []byte

	// OOMGroup is how many bytes of Cgroup name the topmost cgroup there whose
	// memory.oom.group is 1, 0 for none: the kernel kills it as a whole.
	OOMGroup int32

	// What Mark says.
	Rule   int16 // the rule that holds, counted from 1; 0 for none
	Adjust int16
	Effect Effect
	Death  Death

	CommLen uint8
	Comm    [CommSize]byte // raw bytes, never trusted to be UTF-8

	// Texts of phase two, each a slice of a buffer that lives as long as the
	// table: the cgroup path and the command line with NULs as the kernel gives it.
	Cgroup, Cmdline []byte
}

// Name gives the task name; it allocates.
func (p *Process) Name() string { return string(p.Comm[:p.CommLen]) }

// SetName stores a task name, cut to what fits.
func (p *Process) SetName(name []byte) {
	p.Comm = [CommSize]byte{}
	p.CommLen = uint8(copy(p.Comm[:], name))
}

// Identity gives what identifies p, whole only after phase two.
func (p *Process) Identity() Identity { return Identity{p.PID, p.StartTime} }

// Standing gives the oom_score_adj that counts: its own with what a rule adds.
// What is unkillable stays so.
func (p *Process) Standing() int16 {
	if p.Adj <= -1000 {
		return p.Adj
	}
	return max(-999, min(p.Adj+p.Adjust, 1000))
}

// Dies tells what dies when p is chosen.
func (p *Process) Dies() Death {
	if p.Brood > 0 && p.Death == AsProcess {
		return AsTree
	}
	return p.Death
}

// DyingCgroup gives the path of the cgroup that dies with p, nil when none does.
func (p *Process) DyingCgroup() []byte {
	switch p.Dies() {
	case AsCgroup:
		return p.Cgroup
	case AsOOMGroup:
		return p.Cgroup[:min(int(p.OOMGroup), len(p.Cgroup))]
	}
	return nil
}

// Detach takes the texts off p, which outlives the table that they belong to.
func (p *Process) Detach() { p.Cgroup, p.Cmdline, p.Spared = nil, nil, nil }

// Known tells whether what rules said of p is what this package can say: a
// record of another version may have more.
func (p *Process) Known() bool {
	return int(p.Effect) < len(effectText) && int(p.Death) < len(deathText) && p.Rule >= 0 && p.OOMGroup >= 0 && p.Members >= 0
}

// Is reports whether all facts of f hold.
func (p *Process) Is(f Flag) bool { return p.Flag&f == f }
