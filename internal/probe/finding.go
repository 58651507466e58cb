package probe

import (
	"fmt"
	"strings"
)

// State says what became of a probe.
type State string

// The states.
const (
	OK      State = "ok"
	Missing State = "missing" // the machine does not have it
	Denied  State = "denied"  // this process may not
	Note    State = "note"    // neither good nor bad
)

// Finding is one row of the report. Since, Lost and Cure are empty where
// nothing is lacking.
type Finding struct {
	Name   string `json:"name"`
	State  State  `json:"state"`
	Needed bool   `json:"needed"`          // the policy cannot do its work without it
	Detail string `json:"detail"`          // what was found, or the kernel's answer
	Since  string `json:"since,omitempty"` // the first kernel that has it, "5.15"
	Lost   string `json:"lost,omitempty"`  // what does not happen without it
	Cure   string `json:"cure,omitempty"`  // what to do about it
}

// Lacking tells whether the probe failed.
func (f *Finding) Lacking() bool { return f.State == Missing || f.State == Denied }

// String gives the finding as one sentence for a log.
func (f *Finding) String() string {
	s := f.Name + ": " + f.Detail
	if !f.Lacking() {
		return s
	}
	return s + "; lost: " + f.Lost + "; cure: " + f.Cure
}

// Worst sums a report up: Denied or Missing when something needed is lacking,
// and OK otherwise.
func Worst(findings []Finding) State {
	worst := OK
	for i := range findings {
		f := &findings[i]
		if f.Needed && f.Lacking() && worst != Denied {
			worst = f.State
		}
	}
	return worst
}

// Names lists the findings for which keep holds, with commas.
func Names(findings []Finding, keep func(*Finding) bool) string {
	var out []string
	for i := range findings {
		if keep(&findings[i]) {
			out = append(out, findings[i].Name)
		}
	}
	return strings.Join(out, ", ")
}

// size gives bytes in the unit that leaves few digits.
func size(n uint64) string {
	for _, u := range []struct {
		name string
		size uint64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if n >= u.size {
			return fmt.Sprintf("%.3g%s", float64(n)/float64(u.size), u.name)
		}
	}
	return fmt.Sprintf("%dB", n)
}
