package guest

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// MemAvailable gives the MemAvailable of /proc/meminfo in bytes.
func MemAvailable() (uint64, error) { return meminfo("MemAvailable:") }

// SwapFree gives the SwapFree of /proc/meminfo in bytes.
func SwapFree() (uint64, error) { return meminfo("SwapFree:") }

func meminfo(key string) (uint64, error) {
	kb, err := field("/proc/meminfo", key)
	return kb << 10, err
}

// OOMKills gives oom_kill of /proc/vmstat: all kills of the kernel's OOM
// killer since boot, those in memory cgroups included.
func OOMKills() (uint64, error) { return field("/proc/vmstat", "oom_kill") }

// VMStat gives one counter of /proc/vmstat.
func VMStat(name string) (uint64, error) { return field("/proc/vmstat", name) }

// Pressure is the stall time of all tasks since boot.
type Pressure struct{ Some, Full time.Duration }

// MemoryPressure gives the totals of /proc/pressure/memory.
func MemoryPressure() (Pressure, error) {
	const path = "/proc/pressure/memory"
	b, err := os.ReadFile(path)
	if err != nil {
		return Pressure{}, err
	}
	var p Pressure
	for line := range strings.Lines(string(b)) {
		_, total, _ := strings.Cut(strings.TrimSpace(line), "total=")
		us, err := strconv.ParseInt(total, 10, 64)
		if err != nil {
			return Pressure{}, fmt.Errorf("%s: %w", path, err)
		}
		if strings.HasPrefix(line, "some") {
			p.Some = time.Duration(us) * time.Microsecond
		} else {
			p.Full = time.Duration(us) * time.Microsecond
		}
	}
	return p, nil
}

// Resident gives a process's VmRSS in bytes: all its threads share it.
func Resident(pid int) (uint64, error) {
	kb, err := field(fmt.Sprintf("/proc/%d/status", pid), "VmRSS:")
	return kb << 10, err
}

// Adj gives a process's oom_score_adj.
func Adj(pid int) (int, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid))
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(b)))
}

// Switches gives the context switches, voluntary and not, of all threads that
// a process has now.
func Switches(pid int) (uint64, error) {
	dir := fmt.Sprintf("/proc/%d/task", pid)
	threads, err := os.ReadDir(dir)
	if err != nil {
		return 0, err
	}
	var sum uint64
	for _, t := range threads {
		for _, key := range []string{"voluntary_ctxt_switches:", "nonvoluntary_ctxt_switches:"} {
			n, err := field(dir+"/"+t.Name()+"/status", key)
			if err != nil {
				return 0, err
			}
			sum += n
		}
	}
	return sum, nil
}

// field gives the number after key, the first word of its line.
func field(path, key string) (uint64, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		words := strings.Fields(line)
		if len(words) >= 2 && words[0] == key {
			n, err := strconv.ParseUint(words[1], 10, 64)
			if err != nil {
				return 0, fmt.Errorf("%s: %s %w", path, key, err)
			}
			return n, nil
		}
	}
	return 0, fmt.Errorf("%s has no %s", path, strings.TrimSuffix(key, ":"))
}
