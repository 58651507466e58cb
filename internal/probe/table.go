package probe

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/containerd/cgroups/v3"

	"github.com/lmkd/lmkd/internal/memevent"
	"github.com/lmkd/lmkd/internal/relief"
	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/internal/taskiter"
	"github.com/lmkd/lmkd/pkg/pressure"
	"github.com/lmkd/lmkd/pkg/psi"
)

func always(*host) bool { return true }

// table is everything that is probed.
var table = []feature{
	{"memory", "", "there is nothing to judge by", always, probeMemory},
	{"MemAvailable", "3.14", "exhausted memory is not told from a full cache", always, part(pressure.HasAvailable, "use Linux 3.14 or newer")},
	{"watermarks", "", "short free memory is not recognised", always, probeWatermarks},
	{"refaults", "3.15", "thrashing is not recognised", always, part(pressure.HasRefault, "use a kernel with CONFIG_VM_EVENT_COUNTERS")},
	{"pressure triggers", "5.2", "stalls wake nobody: reclaim events must, or memory is sampled by the clock", func(h *host) bool { return h.needs.Triggers }, probePressure},
	{"vmpressure", "3.10", "stalls (PSI) are the events in its place", func(h *host) bool { return h.needs.Vmpressure }, probeVmpressure},
	{"reclaim events", "5.8", "without swap, memory can run out before any stall is felt, and the kernel's own OOM killer chooses", needsEvents, probeEvents},
	ofKernel(sys.Pidfd, always),
	ofKernel(sys.PidfdSignalling, always),
	ofKernel(sys.Mrelease, nil),
	{"task iterator", "5.8", "a choice among thousands of processes takes ten times as long", nil, probeTasks},
	{"signals to all processes", "", "other users' processes cannot be killed", always, probeKill},
	{"sight of all processes", "", "other users' processes are never candidates", always, probeSight},
	{"locked memory", "4.4", "the daemon itself may be swapped out under pressure", nil, probeLock},
	{"real-time priority", "", "on a busy machine the daemon waits its turn", nil, probeRealtime},
	{"oom_score_adj -1000", "", "the kernel's OOM killer may choose the daemon", nil, probeOOMScore},
	{"swap", "", "", nil, probeSwap},
	{"cgroup reclaim", "5.19", "no memory of cgroups is reclaimed before a kill", func(h *host) bool { return h.needs.Reclaim }, probeReclaim},
	{"cgroup freeze", "5.2", "no cgroup is frozen before a kill", func(h *host) bool { return h.needs.Freeze }, probeFreeze},
	{"cgroups", "", "", nil, func(h *host) answer { return answer{state: Note, detail: h.cgroups()} }},
}

// ofKernel makes a row of a feature of internal/sys.
func ofKernel(f sys.Feature, needed func(*host) bool) feature {
	return feature{f.Name, f.Since, f.Need, needed, func(*host) answer {
		if err := f.Probe(); err != nil {
			return refused(err, "use Linux "+f.Since+" or newer; in a container, let its seccomp filter pass "+f.Name)
		}
		return found("works")
	}}
}

func probeMemory(h *host) answer {
	if h.sampleErr != nil {
		return refused(h.sampleErr, "mount proc, with its memory files")
	}
	m := &h.sample.Memory
	return found(fmt.Sprintf("%s, %s of it available", size(m.Total), size(m.Available)))
}

// part makes the probe of a part of the sample.
func part(p pressure.Has, cure string) func(*host) answer {
	return func(h *host) answer {
		if !h.has(p) {
			return lacking("the kernel does not tell", cure)
		}
		return found("read")
	}
}

func probeWatermarks(h *host) answer {
	if !h.has(pressure.HasWatermarks) {
		return lacking("/proc/zoneinfo cannot be read", "let this process read /proc/zoneinfo")
	}
	w := &h.sample.Watermarks
	return found(fmt.Sprintf("min %s, low %s, high %s", size(w.Min), size(w.Low), size(w.High)))
}

func probePressure(h *host) answer {
	if len(h.needs.Arm) == 0 {
		return answer{state: Note, detail: "not asked for"}
	}
	for _, t := range h.needs.Arm {
		if err := h.arm(psi.MemoryFile(h.root), t); err != nil {
			return explainTrigger(err)
		}
	}
	return found("armed and dropped")
}

// probeVmpressure looks only where the policy asks for it.
func probeVmpressure(h *host) answer {
	if !h.needs.Vmpressure {
		return answer{state: Note, detail: "not asked for"}
	}
	if err := h.vmpressure(); err != nil {
		return refused(err, "mount the memory controller on cgroup v1, or set use_psi to true")
	}
	return found("listened to")
}

func explainTrigger(err error) answer {
	var e *psi.Error
	if !errors.As(err, &e) {
		return refused(err, "free descriptors and memory of the kernel")
	}
	if e.State == psi.Limited || e.State == psi.NeedsPrivilege {
		return denied(fmt.Sprintf("refuses triggers: %s (%v)", e.State, e.Errno), e.Cure)
	}
	return lacking(fmt.Sprintf("%s (%v)", e.State, e.Errno), e.Cure)
}

// needsEvents: with swap, a shortage is felt as stalls in good time.
func needsEvents(h *host) bool { return h.needs.Exhaust && h.sample.Memory.SwapTotal == 0 }

func probeEvents(h *host) answer {
	err := h.events()
	if err == nil {
		return found("attached and dropped")
	}
	var e *memevent.Error
	if !errors.As(err, &e) {
		return refused(err, "see the kernel's log")
	}
	return refused(fmt.Errorf("%s: %w", e.Doing, e.Err), e.Cure)
}

// probeTasks does not load the iterator: the kernel's types are large.
func probeTasks(h *host) answer {
	if err := h.tasks(); err != nil {
		return refused(err, taskiter.Cure)
	}
	for _, c := range []struct {
		capability uint
		name       string
	}{{sys.CapBPF, "CAP_BPF"}, {sys.CapPerfmon, "CAP_PERFMON"}} {
		if a := byCapability(h, c.capability, c.name); a.state != OK {
			if admin := byCapability(h, sys.CapSysAdmin, "CAP_SYS_ADMIN"); admin.state != OK {
				return a
			}
		}
	}
	return found("the kernel tells its types")
}

func probeKill(h *host) answer {
	return byCapability(h, sys.CapKill, "CAP_KILL")
}

func byCapability(h *host, capability uint, name string) answer {
	has, err := h.capability(capability)
	switch {
	case err != nil:
		return refused(err, "give the process "+name)
	case !has:
		return denied("no "+name, "give the process "+name+", or run it as root")
	}
	return found(name)
}

// probeSight looks at init, which no mount of proc with hidepid shows to
// everyone.
func probeSight(h *host) answer {
	if _, err := os.ReadFile(filepath.Join(h.root, "proc/1/statm")); err != nil {
		return denied("init cannot be read: proc is mounted with hidepid", "give the process CAP_SYS_PTRACE, or the group of proc's gid= option")
	}
	return found("init can be read")
}

// probeLock follows mlockall(2): everything may be locked with CAP_IPC_LOCK or
// without a limit.
func probeLock(h *host) answer {
	limit, err := h.memlock()
	if err == nil && limit == sys.Unlimited {
		return found("no limit")
	}
	a := byCapability(h, sys.CapIPCLock, "CAP_IPC_LOCK")
	if a.state == Denied && err == nil {
		return denied(fmt.Sprintf("no CAP_IPC_LOCK, and RLIMIT_MEMLOCK is %s", size(limit)), "give the process CAP_IPC_LOCK or LimitMEMLOCK=infinity")
	}
	return a
}

func probeRealtime(h *host) answer {
	if h.needs.Realtime == 0 {
		return answer{state: Note, detail: "not wanted"}
	}
	if err := h.realtime(h.needs.Realtime); err != nil {
		return refused(err, fmt.Sprintf("give the process CAP_SYS_NICE or LimitRTPRIO=%d; on cgroup v1 its cpu group needs cpu.rt_runtime_us", h.needs.Realtime))
	}
	return found(fmt.Sprintf("SCHED_FIFO %d", h.needs.Realtime))
}

func probeOOMScore(h *host) answer {
	if adj, err := h.oomScore(); err == nil && adj == -1000 {
		return found("set already")
	}
	a := byCapability(h, sys.CapSysResource, "CAP_SYS_RESOURCE")
	if a.state == Denied {
		a.cure = "start it with OOMScoreAdjust=-1000, or give the process CAP_SYS_RESOURCE"
	}
	return a
}

func probeSwap(h *host) answer {
	m := &h.sample.Memory
	if m.SwapTotal == 0 {
		return answer{state: Note, detail: "none"}
	}
	detail := fmt.Sprintf("%s, %s of it free", size(m.SwapTotal), size(m.SwapFree))
	if h.has(pressure.HasZram) {
		z := &h.sample.Zram
		detail += fmt.Sprintf("; zram holds %s in %s of memory", size(z.Original), size(z.MemUsed))
	}
	return answer{state: Note, detail: detail}
}

func probeReclaim(h *host) answer {
	return h.ofCgroups(h.needs.Reclaim, "memory.reclaim", "use Linux 5.19 or newer with cgroup v2, whose memory controller is on")
}

func probeFreeze(h *host) answer {
	return h.ofCgroups(h.needs.Freeze, "cgroup.freeze", "use Linux 5.2 or newer with cgroup v2")
}

// ofCgroups looks for a file that every cgroup has but the root. What no act of
// the policy needs is not missed.
func (h *host) ofCgroups(asked bool, file, cure string) answer {
	if !asked {
		return answer{state: Note, detail: "not asked for"}
	}
	dir := relief.Root(h.root)
	if found, _ := filepath.Glob(filepath.Join(dir, "*", file)); dir == "" || len(found) == 0 {
		return lacking("no cgroup has "+file, cure)
	}
	return answer{state: OK, detail: "works"}
}

func cgroupMode() string {
	switch cgroups.Mode() {
	case cgroups.Unified:
		return "v2"
	case cgroups.Hybrid:
		return "hybrid: v1 controllers beside an empty v2"
	case cgroups.Legacy:
		return "v1"
	}
	return "not mounted"
}
