package daemon

import (
	"strings"
	"time"

	"github.com/lmkd/lmkd/internal/engine"
	"github.com/lmkd/lmkd/internal/memevent"
	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/pressure"
	"github.com/lmkd/lmkd/pkg/psi"
)

// triggers are the PSI triggers of a domain by their levels, absent where the
// kernel refuses them or the policy has none.
type triggers [pressure.LevelCritical + 1]*psi.Trigger

// thresholds are what a policy's triggers fire at, by level; a Stall of 0 is none.
type thresholds [pressure.LevelCritical + 1]psi.Threshold

func thresholdsOf(p *engine.Policy) thresholds {
	return thresholds{
		pressure.LevelLow:      {Kind: psi.Some, Stall: p.Low, Window: p.Window},
		pressure.LevelMedium:   {Kind: psi.Some, Stall: p.Partial, Window: p.Window},
		pressure.LevelCritical: {Kind: psi.Full, Stall: p.Complete, Window: p.Window},
	}
}

// unprivileged makes of them what the kernel takes without CAP_SYS_RESOURCE.
func (t thresholds) unprivileged() thresholds {
	for i := range t {
		if t[i].Stall > 0 {
			t[i] = t[i].Unprivileged()
		}
	}
	return t
}

func (t thresholds) String() string {
	var texts []string
	for i := range t {
		if t[i].Stall > 0 {
			texts = append(texts, t[i].String())
		}
	}
	return strings.Join(texts, " and ")
}

// woken notes in wake which trigger spoke.
func (t *triggers) woken(kind uint64, wake *engine.Input) {
	wake.Source |= engine.FromPSI
	wake.Event = max(wake.Event, pressure.Level(kind-tokenTrigger))
}

// arm sets all triggers or none.
func (t *triggers) arm(file string, at thresholds) error {
	for i := range at {
		if at[i].Stall <= 0 {
			continue
		}
		trigger, err := psi.Arm(file, at[i])
		if err != nil {
			t.close()
			return err
		}
		t[i] = trigger
	}
	return nil
}

// any tells whether at least one is armed.
func (t *triggers) any() bool { return *t != triggers{} }

func (t *triggers) close() {
	for i := range t {
		if t[i] != nil {
			_ = t[i].Close()
			t[i] = nil
		}
	}
}

// reclaims are the kernel's reclaim events, which tell of the whole machine
// alone.
type reclaims struct {
	events      *memevent.Source // nil where the kernel refuses them
	kswapdSince time.Duration    // at the last look
	stuckAfter  time.Duration    // a direct reclaim that lasts so long is a reason to kill, 0 for never
}

// drain takes the readiness of the reclaim events back and notes what they say.
func (s *reclaims) drain(wake *engine.Input) {
	kinds := s.events.Drain().Kinds
	if kinds&memevent.Kswapd != 0 {
		wake.Source |= engine.FromKswapd
	}
	if kinds&memevent.DirectReclaim != 0 {
		wake.Source |= engine.FromDirect
	}
	if kinds&memevent.KernelOOM != 0 {
		wake.Source |= engine.FromOOM
	}
	if kinds&memevent.Faults != 0 {
		wake.Source |= engine.FromFaults
	}
}

// state gives what the kernel is reclaiming, as a load from shared memory.
func (s *reclaims) state() pressure.Reclaim {
	if s.events == nil {
		return pressure.Reclaim{}
	}
	st := s.events.State()
	s.kswapdSince = st.KswapdSince
	if s.stuck(&st) && s.events.Sweep() > 0 {
		st = s.events.State()
	}
	return pressure.Reclaim{
		Known:  true,
		Kswapd: st.KswapdAwake > 0,
		Direct: st.DirectReclaimers > 0, DirectSince: st.OldestDirect,
	}
}

// stuck tells whether somebody is about to die because a task is in direct
// reclaim for too long: it must then be a task that still exists.
func (s *reclaims) stuck(st *memevent.State) bool {
	return s.stuckAfter > 0 && st.OldestDirect > 0 && sys.Now()-st.OldestDirect > s.stuckAfter
}

// arm asks for the next reclaim event from notBefore on; true when kswapd woke
// after the last look and before the arming, and nobody else will tell. So many
// bytes as room may be faulted in before that wakes too, 0 for no limit.
func (s *reclaims) arm(notBefore time.Duration, room uint64, wake *engine.Input) bool {
	if s.events == nil {
		return false
	}
	kinds := memevent.Kswapd | memevent.DirectReclaim
	if room > 0 {
		kinds |= memevent.Faults
	}
	s.events.Arm(kinds, notBefore, room/uint64(sys.Pagesize()))
	if sys.Now() < notBefore {
		return false
	}
	st := s.events.State()
	if st.KswapdAwake == 0 || st.KswapdSince == s.kswapdSince {
		return false
	}
	wake.Source = engine.FromKswapd
	return true
}

func (s *reclaims) close() {
	if s.events != nil {
		_ = s.events.Close()
	}
}
