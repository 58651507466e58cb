package lmkproto

import "strconv"

// Command is the first word of a packet.
type Command int32

// The commands. Those without a remark go to the daemon and have no reply.
const (
	Target          Command = 0  // levels of free memory, below which processes may die
	ProcPrio        Command = 1  // registers one process
	ProcRemove      Command = 2  // forgets one
	ProcPurge       Command = 3  // forgets all of this client, and those that no client has any more
	GetKillCount    Command = 4  // asks how many were killed; the reply has the same command
	Subscribe       Command = 5  // asks for one kind of Event
	ProcKill        Command = 6  // from the daemon: a process was killed
	UpdateProps     Command = 7  // asks to read the settings again; the reply has the same command
	StatKill        Command = 8  // from the daemon: a process was killed, with numbers
	StartMonitoring Command = 9  // starts to watch, where that waits for the boot
	BootCompleted   Command = 10 // the machine is up; the reply has the same command
	ProcsPrio       Command = 11 // registers up to MaxProcs
)

var commandNames = [...]string{
	"LMK_TARGET", "LMK_PROCPRIO", "LMK_PROCREMOVE", "LMK_PROCPURGE", "LMK_GETKILLCNT", "LMK_SUBSCRIBE", "LMK_PROCKILL",
	"LMK_UPDATE_PROPS", "LMK_STAT_KILL_OCCURRED", "LMK_START_MONITORING", "LMK_BOOT_COMPLETED", "LMK_PROCS_PRIO",
}

// String gives the name in Android's lmkd.h.
func (c Command) String() string {
	if c >= 0 && int(c) < len(commandNames) {
		return commandNames[c]
	}
	return "command " + strconv.Itoa(int(c))
}

// The limits of a packet.
const (
	MaxTargets = 6
	MaxProcs   = 3
	// MaxRequest is the longest packet to the daemon in bytes: a command and
	// three records of five words.
	MaxRequest = 4 * (1 + MaxProcs*longProc)
	// MaxAdj and MinAdj are the ends of oom_score_adj.
	MaxAdj, MinAdj = 1000, -1000
)

// The lengths of a process record in words: since Android 15, and with
// ForLmkdOnly since 17.
const (
	shortProc = 4
	longProc  = 5
)

// ProcType is what a process is to its client.
type ProcType int32

// The types.
const (
	App     ProcType = 0
	Service ProcType = 1
)

// Event is what a client can subscribe to.
type Event int32

// The events.
const (
	KillEvent Event = 0 // ProcKill packets
	StatEvent Event = 1 // StatKill packets
)

// Proc is one process as a client registers it.
type Proc struct {
	PID  int32
	UID  int32
	Adj  int32 // oom_score_adj
	Type ProcType
	// ForLmkdOnly asks the daemon to leave the kernel's own oom_score_adj as it is.
	ForLmkdOnly bool
}

// Level is one pair of Target: while less than Minfree pages are free, processes
// at Adj and above may die.
type Level struct {
	Minfree int32 // pages
	Adj     int32 // oom_score_adj
}
