package daemon

import (
	"time"

	"github.com/lmkd/lmkd/internal/engine"
	"github.com/lmkd/lmkd/internal/memevent"
	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/pressure"
	"github.com/lmkd/lmkd/pkg/psi"
)

// triggers are the two PSI triggers of a domain, absent where the kernel refuses
// them.
type triggers struct {
	medium, critical *psi.Trigger
}

// woken notes in wake which trigger spoke.
func (t *triggers) woken(kind uint64, wake *engine.Input) {
	level := pressure.LevelMedium
	if kind == tokenCritical {
		level = pressure.LevelCritical
	}
	wake.Source |= engine.FromPSI
	wake.Event = max(wake.Event, level)
}

// arm sets both triggers or none.
func (t *triggers) arm(file string, some, full psi.Threshold) error {
	medium, err := psi.Arm(file, some)
	if err != nil {
		return err
	}
	critical, err := psi.Arm(file, full)
	if err != nil {
		_ = medium.Close()
		return err
	}
	t.medium, t.critical = medium, critical
	return nil
}

func (t *triggers) close() {
	if t.medium != nil {
		_ = t.medium.Close()
	}
	if t.critical != nil {
		_ = t.critical.Close()
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
// after the last look and before the arming, and nobody else will tell.
func (s *reclaims) arm(notBefore time.Duration, wake *engine.Input) bool {
	if s.events == nil {
		return false
	}
	s.events.Arm(memevent.Kswapd|memevent.DirectReclaim, notBefore)
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
