package daemon

import (
	"time"

	"github.com/lmkd/lmkd/internal/engine"
	"github.com/lmkd/lmkd/internal/memevent"
	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/pressure"
	"github.com/lmkd/lmkd/pkg/psi"
)

// sources are what wakes the loop: two PSI triggers and the reclaim events,
// each absent where the kernel refuses it.
type sources struct {
	medium, critical *psi.Trigger
	events           *memevent.Source
	kswapdSince      time.Duration // at the last look
	stuckAfter       time.Duration // a direct reclaim that lasts so long is a reason to kill, 0 for never
}

// woken notes in wake what the ready source says.
func (s *sources) woken(token uint64, wake *engine.Input) {
	switch token {
	case tokenMedium:
		wake.Source |= engine.FromPSI
		wake.Event = max(wake.Event, pressure.LevelMedium)
	case tokenCritical:
		wake.Source |= engine.FromPSI
		wake.Event = max(wake.Event, pressure.LevelCritical)
	case tokenReclaim:
		s.drained(wake)
	}
}

// drained takes the readiness of the reclaim events back.
func (s *sources) drained(wake *engine.Input) {
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

// reclaim gives what the kernel is reclaiming, as a load from shared memory.
func (s *sources) reclaim() pressure.Reclaim {
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
func (s *sources) stuck(st *memevent.State) bool {
	return s.stuckAfter > 0 && st.OldestDirect > 0 && sys.Now()-st.OldestDirect > s.stuckAfter
}

// arm asks for the next reclaim event from notBefore on; true when kswapd woke
// after the last look and before the arming, and nobody else will tell.
func (s *sources) arm(notBefore time.Duration, wake *engine.Input) bool {
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

// watch puts every source into the loop's epoll.
func (s *sources) watch(p *sys.Epoll) error {
	if s.medium != nil {
		if e := p.Add(s.medium.Fd(), sys.Pri, tokenMedium); e != 0 {
			return &sys.OpError{Doing: "watch the partial-stall trigger", Errno: e}
		}
	}
	if s.critical != nil {
		if e := p.Add(s.critical.Fd(), sys.Pri, tokenCritical); e != 0 {
			return &sys.OpError{Doing: "watch the complete-stall trigger", Errno: e}
		}
	}
	if s.events != nil {
		if e := p.Add(s.events.Fd(), sys.In, tokenReclaim); e != 0 {
			return &sys.OpError{Doing: "watch reclaim events", Errno: e}
		}
	}
	return nil
}

// close gives every source back.
func (s *sources) close() {
	if s.medium != nil {
		_ = s.medium.Close()
	}
	if s.critical != nil {
		_ = s.critical.Close()
	}
	if s.events != nil {
		_ = s.events.Close()
	}
}
