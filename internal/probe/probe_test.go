package probe

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lmkd/lmkd/internal/memevent"
	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/internal/vmpressure"
	"github.com/lmkd/lmkd/pkg/pressure"
	"github.com/lmkd/lmkd/pkg/psi"
)

var wanted = Needs{
	Arm:      []psi.Threshold{{Kind: psi.Some, Stall: 70 * time.Millisecond, Window: time.Second}},
	Triggers: true, Exhaust: true, Realtime: 1,
}

// perfect is a machine that has everything.
func perfect(t *testing.T) *host {
	t.Helper()
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "proc/1"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "proc/1/statm"), []byte("1 1 1 1 0 1 0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	h := &host{
		root: root, needs: wanted,
		arm:        func(string, psi.Threshold) error { return nil },
		events:     func() error { return nil },
		tasks:      func() error { return nil },
		capability: func(uint) (bool, error) { return true, nil },
		memlock:    func() (uint64, error) { return 8 << 20, nil },
		realtime:   func(int) error { return nil },
		oomScore:   func() (int, error) { return 0, nil },
		cgroups:    func() string { return "v2" },
	}
	h.sample.Has = pressure.HasAvailable | pressure.HasWatermarks | pressure.HasRefault
	h.sample.Memory = pressure.Memory{Total: 512 << 20, Available: 300 << 20}
	return h
}

func row(t *testing.T, h *host, name string) Finding {
	t.Helper()
	for _, f := range h.report() {
		if f.Name == name {
			return f
		}
	}
	t.Fatalf("no row %q", name)
	return Finding{}
}

// What the policy does not ask for is not tried.
func TestEventsAreVmpressures(t *testing.T) {
	h := perfect(t)
	h.needs.Arm, h.needs.Triggers, h.needs.Vmpressure = nil, false, true
	h.vmpressure = func() error { return nil }
	if f := row(t, h, "vmpressure"); f.State != OK {
		t.Errorf("vmpressure: %s", f.String())
	}
	if f := row(t, h, "pressure triggers"); f.State != Note || f.Detail != "not asked for" {
		t.Errorf("pressure triggers: %s", f.String())
	}
	if f := row(t, perfect(t), "vmpressure"); f.State != Note {
		t.Errorf("vmpressure: %s", f.String())
	}
}

func TestPerfect(t *testing.T) {
	findings := perfect(t).report()
	if w := Worst(findings); w != OK {
		t.Errorf("worst is %s", w)
	}
	for _, f := range findings {
		if f.Lacking() || f.Lost != "" || f.Cure != "" || f.Detail == "" {
			t.Errorf("%+v", f)
		}
	}
}

func noCapability(uint) (bool, error) { return false, nil }

// Every row that can fail does, and says what is lost and how to cure it.
func TestLacking(t *testing.T) {
	refusal := func(s psi.State, e sys.Errno) func(string, psi.Threshold) error {
		return func(string, psi.Threshold) error {
			return &psi.Error{State: s, Doing: "arm", Cure: "the cure", Errno: e}
		}
	}
	tests := map[string]struct {
		row   string
		spoil func(*host)
		state State
		want  string
		worst State
	}{
		"no memory":           {"memory", func(h *host) { h.sampleErr = &sys.OpError{Doing: "open /proc/meminfo", Errno: sys.ENOENT} }, Missing, "open /proc/meminfo: no such file or directory", Missing},
		"old kernel":          {"MemAvailable", func(h *host) { h.sample.Has &^= pressure.HasAvailable }, Missing, "use Linux 3.14", Missing},
		"no zoneinfo":         {"watermarks", func(h *host) { h.sample.Has &^= pressure.HasWatermarks }, Missing, "zoneinfo", Missing},
		"no refaults":         {"refaults", func(h *host) { h.sample.Has &^= pressure.HasRefault }, Missing, "CONFIG_VM_EVENT_COUNTERS", Missing},
		"psi refuses":         {"pressure triggers", func(h *host) { h.arm = refusal(psi.Refuses, sys.EINVAL) }, Missing, "refuses triggers (invalid argument); lost: stalls wake nobody", Missing},
		"psi off":             {"pressure triggers", func(h *host) { h.arm = refusal(psi.Off, sys.EOPNOTSUPP) }, Missing, "off (operation not supported)", Missing},
		"psi absent":          {"pressure triggers", func(h *host) { h.arm = refusal(psi.Absent, sys.ENOENT) }, Missing, "absent", Missing},
		"psi needs privilege": {"pressure triggers", func(h *host) { h.arm = refusal(psi.NeedsPrivilege, sys.EPERM) }, Denied, "cure: the cure", Denied},
		"psi limited":         {"pressure triggers", func(h *host) { h.arm = refusal(psi.Limited, sys.EINVAL) }, Denied, "refuses triggers: takes only 2 s windows", Denied},
		"psi fails": {"pressure triggers", func(h *host) {
			h.arm = func(string, psi.Threshold) error { return &sys.OpError{Doing: "arm", Errno: sys.ENOMEM} }
		}, Missing, "arm: cannot allocate memory", Missing},
		"psi not needed": {"pressure triggers", func(h *host) {
			h.needs.Triggers = false
			h.arm = refusal(psi.Absent, sys.ENOENT)
		}, Missing, "absent", OK},
		"no vmpressure": {"vmpressure", func(h *host) {
			h.needs.Vmpressure = true
			h.vmpressure = func() error { return vmpressure.ErrNoController }
		}, Missing, "set use_psi to true", Missing},
		"no bpf rights": {"reclaim events", func(h *host) {
			h.events = func() error { return &memevent.Error{Doing: "load", Err: sys.EPERM, Cure: "CAP_BPF"} }
		}, Denied, "load: operation not permitted", Denied},
		"no bpf, but swap": {"reclaim events", func(h *host) {
			h.sample.Memory.SwapTotal = 1 << 30
			h.events = func() error { return &memevent.Error{Doing: "load", Err: sys.ENOSYS, Cure: "a newer kernel"} }
		}, Missing, "a newer kernel", OK},
		"events fail": {"reclaim events", func(h *host) { h.events = func() error { return errors.New("odd") } }, Missing, "odd", Missing},
		"no types":    {"task iterator", func(h *host) { h.tasks = func() error { return sys.ENOENT } }, Missing, "CONFIG_DEBUG_INFO_BTF", OK},
		"no CAP_BPF": {"task iterator", func(h *host) {
			h.capability = func(c uint) (bool, error) { return c != sys.CapBPF && c != sys.CapSysAdmin, nil }
		}, Denied, "no CAP_BPF", OK},
		"no CAP_KILL": {"signals to all processes", func(h *host) { h.capability = noCapability }, Denied, "no CAP_KILL", Denied},
		"no capget": {"signals to all processes", func(h *host) {
			h.capability = func(uint) (bool, error) { return false, sys.ENOSYS }
		}, Missing, "not implemented", Missing},
		"hidepid":   {"sight of all processes", func(h *host) { h.root = "/nonexistent" }, Denied, "hidepid", Denied},
		"memlock":   {"locked memory", func(h *host) { h.capability = noCapability }, Denied, "RLIMIT_MEMLOCK is 8MiB", Denied},
		"no fifo":   {"real-time priority", func(h *host) { h.realtime = func(int) error { return sys.EPERM } }, Denied, "LimitRTPRIO=1", OK},
		"oom score": {"oom_score_adj -1000", func(h *host) { h.capability = noCapability }, Denied, "OOMScoreAdjust=-1000", Denied},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h := perfect(t)
			tt.spoil(h)
			f := row(t, h, tt.row)
			if f.State != tt.state || !strings.Contains(f.String(), tt.want) || f.Lost == "" || f.Cure == "" {
				t.Errorf("got %s %q, want %s and %q", f.State, f.String(), tt.state, tt.want)
			}
			if w := Worst(h.report()); w != tt.worst {
				t.Errorf("worst is %s, want %s", w, tt.worst)
			}
		})
	}
}

func TestOfKernel(t *testing.T) {
	feature := sys.Feature{Name: "process_mrelease", Since: "5.15", Need: "memory back at once", Probe: func() error { return sys.ENOSYS }}
	h := &host{}
	row := ofKernel(feature, nil)
	if a := row.probe(h); a.state != Missing || !strings.Contains(a.cure, "Linux 5.15") {
		t.Errorf("ENOSYS gives %+v", a)
	}
	feature.Probe = func() error { return sys.EPERM }
	row = ofKernel(feature, nil)
	if a := row.probe(h); a.state != Denied {
		t.Errorf("EPERM gives %+v", a)
	}
}

func TestNotes(t *testing.T) {
	h := perfect(t)
	h.needs.Realtime = 0
	if f := row(t, h, "real-time priority"); f.State != Note {
		t.Errorf("%+v", f)
	}
	h.memlock = func() (uint64, error) { return sys.Unlimited, nil }
	h.oomScore = func() (int, error) { return -1000, nil }
	h.capability = noCapability
	for _, name := range []string{"locked memory", "oom_score_adj -1000"} {
		if f := row(t, h, name); f.State != OK {
			t.Errorf("%+v", f)
		}
	}
	h.sample.Memory.SwapTotal, h.sample.Memory.SwapFree = 230<<20, 100<<20
	h.sample.Has |= pressure.HasZram
	h.sample.Zram = pressure.Zram{Original: 130 << 20, MemUsed: 40 << 20}
	if f := row(t, h, "swap"); f.Detail != "230MiB, 100MiB of it free; zram holds 130MiB in 40MiB of memory" {
		t.Errorf("%+v", f)
	}
}

// The report of the machine that the test runs on has a row for everything and
// an answer in each, whatever the machine lacks.
func TestThisMachine(t *testing.T) {
	findings := Report("/", wanted)
	if len(findings) != len(table) {
		t.Fatalf("%d rows of %d", len(findings), len(table))
	}
	for _, f := range findings {
		t.Log(f.State, f.String())
		if f.Detail == "" || f.Lacking() && (f.Lost == "" || f.Cure == "") {
			t.Errorf("%+v", f)
		}
	}
	if f := findings[0]; f.State != OK {
		t.Errorf("memory: %+v", f)
	}
}
