package probe

import (
	"errors"
	"os"

	"github.com/lmkd/lmkd/internal/memevent"
	"github.com/lmkd/lmkd/internal/memory"
	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/internal/taskiter"
	"github.com/lmkd/lmkd/internal/vmpressure"
	"github.com/lmkd/lmkd/pkg/pressure"
	"github.com/lmkd/lmkd/pkg/psi"
)

// Needs says what a policy cannot do without, beside a kill itself.
type Needs struct {
	Arm        []psi.Threshold // the pressure triggers that the daemon arms
	Vmpressure bool            // the words of cgroup v1's memory controller wake it instead
	Triggers   bool            // it needs them; false where sampling will do
	Exhaust    bool            // exhaustion before any stall: on a machine without swap that takes reclaim events
	Realtime   int             // SCHED_FIFO priority that is wanted, 0 for none
	Reclaim    bool            // acts of the policy reclaim memory of cgroups
	Freeze     bool            // acts of the policy freeze cgroups
}

// feature is one row of the table before it is probed.
type feature struct {
	name   string
	since  string
	lost   string
	needed func(*host) bool
	probe  func(*host) answer
}

// answer is what a probe found; cure is empty when nothing is lacking.
type answer struct {
	state  State
	detail string
	cure   string
}

func found(detail string) answer         { return answer{state: OK, detail: detail} }
func lacking(detail, cure string) answer { return answer{Missing, detail, cure} }
func denied(detail, cure string) answer  { return answer{Denied, detail, cure} }

// refused tells a lack of permission from a lack of the thing.
func refused(err error, cure string) answer {
	if errors.Is(err, os.ErrPermission) {
		return denied(err.Error(), cure)
	}
	return lacking(err.Error(), cure)
}

// host is the machine as the probes see it; tests put their own answers in.
type host struct {
	root  string
	needs Needs

	sample    pressure.Sample
	sampleErr error

	arm        func(path string, t psi.Threshold) error
	events     func() error
	vmpressure func() error
	tasks      func() error
	capability func(uint) (bool, error)
	memlock    func() (uint64, error)
	realtime   func(priority int) error
	oomScore   func() (int, error)
	cgroups    func() string
}

// Report probes everything, for the machine below root, in the order of the
// table.
func Report(root string, needs Needs) []Finding {
	h := &host{
		root: root, needs: needs,
		arm: tryTrigger, events: tryEvents, tasks: taskiter.Possible, vmpressure: tryVmpressure, capability: sys.HasCapability,
		memlock: sys.MemlockLimit, realtime: sys.TryFIFO, oomScore: sys.OOMScoreAdj, cgroups: cgroupMode,
	}
	h.readMemory()
	return h.report()
}

func (h *host) report() []Finding {
	out := make([]Finding, 0, len(table))
	for i := range table {
		f := &table[i]
		a := f.probe(h)
		finding := Finding{Name: f.name, State: a.state, Detail: a.detail, Needed: f.needed != nil && f.needed(h)}
		if finding.Lacking() {
			finding.Since, finding.Lost, finding.Cure = f.since, f.lost, a.cure
		}
		out = append(out, finding)
	}
	return out
}

// readMemory takes one sample, which tells by its parts what the kernel gives.
func (h *host) readMemory() {
	r, err := memory.Open(h.root)
	if err != nil {
		h.sampleErr = err
		return
	}
	defer r.Close()
	marks := r.Watermarks(sys.Now(), &h.sample.Watermarks)
	if h.sampleErr = r.Sample(sys.Now(), &h.sample); h.sampleErr == nil && marks != nil {
		h.sample.Has &^= pressure.HasWatermarks
	}
}

func (h *host) has(part pressure.Has) bool { return h.sample.Has&part != 0 }

// tryTrigger arms a trigger and drops it.
func tryTrigger(path string, t psi.Threshold) error {
	trigger, err := psi.Arm(path, t)
	if err != nil {
		return err
	}
	return trigger.Close()
}

// tryVmpressure listens to the whole machine and stops.
func tryVmpressure() error {
	l, err := vmpressure.Open("/")
	if err == nil {
		l.Close()
	}
	return err
}

// tryEvents loads the BPF programs and drops them.
func tryEvents() error {
	s, err := memevent.Open()
	if err != nil {
		return err
	}
	return s.Close()
}
