package engine

import (
	"time"

	"github.com/lmkd/lmkd/pkg/pressure"
	"github.com/lmkd/lmkd/pkg/victim"
)

// Policy is all numbers of one domain.
type Policy struct {
	Pressure pressure.Policy
	Victim   victim.Policy

	// Window is how long after a wake memory is looked at again and again;
	// Poll is the pause between looks, PollUrgent the one while swap is low or
	// after a kill.
	Window, Poll, PollUrgent time.Duration

	// PollSlow is the longest pause of a watch: while kswapd is awake past the
	// window, or while sampling because triggers are not to be had.
	PollSlow time.Duration

	// FillRate is the fastest rate in bytes a second at which memory is
	// expected to be filled: the distance to the floor over it is the pause of
	// a watch. 0 keeps Android's fixed pauses and ends a watch with its window.
	FillRate uint64

	// KillTimeout is how long a victim may take to be gone before the next may
	// be chosen; 0 waits for ever.
	KillTimeout time.Duration

	// CountDying says that memory of the dying is counted before anybody else
	// is chosen, each of them for KillTimeout at most.
	CountDying bool

	// CoolDown is how long after a victim's end nobody is chosen while its
	// memory has not come back, unless free memory is below the min watermark.
	CoolDown time.Duration

	// TermTimeout is how long a victim that was asked with SIGTERM may take
	// before SIGKILL; it ends early when less than half of the floor is
	// available. 0 sends SIGKILL at once.
	TermTimeout time.Duration

	// MaxKills is how many kills may be made within KillWindow; the next waits
	// for its end. 0 sets no ceiling. At most 128.
	MaxKills   int
	KillWindow time.Duration

	// Relief is what is tried before a kill: at most MaxRelief acts.
	Relief []Relief

	// WatermarkRefresh is how old zoneinfo's marks may grow.
	WatermarkRefresh time.Duration

	// Low, Partial and Complete are the stalls within Window that PSI triggers fire
	// at: some tasks waiting for memory, the first as a low event, and all of
	// them. 0 arms none.
	Low, Partial, Complete time.Duration

	// Vmpressure takes events from cgroup v1's memory.pressure_level in place of
	// PSI triggers; such events come again and again, and no window follows them.
	Vmpressure bool

	// Untriggered is true where PSI triggers could not be armed as they were
	// meant to be: the engine then compares the totals of the samples with
	// Partial and Complete itself.
	Untriggered bool

	// Sampling is true where nothing can wake the loop, neither triggers nor
	// reclaim events: the engine then never rests, and looks at a pause set by
	// the distance to the floor.
	Sampling bool
}

// Linux gives the defaults of the linux profile.
func Linux() Policy {
	return Policy{
		Pressure: pressure.Linux(),
		Victim:   victim.Policy{Bands: []int16{900, 0}, MinGain: 10 << 20, Rules: victim.BuiltIn(), GrowthWeight: 4, Brood: 8, OOMGroup: true, Preference: true},
		Window:   time.Second, Poll: 100 * time.Millisecond, PollUrgent: 10 * time.Millisecond,
		PollSlow: time.Second, FillRate: 4 << 30,
		KillTimeout:      2 * time.Second,
		CountDying:       true,
		CoolDown:         50 * time.Millisecond,
		MaxKills:         60,
		KillWindow:       time.Minute,
		WatermarkRefresh: time.Minute,
		Partial:          70 * time.Millisecond,
		Complete:         700 * time.Millisecond,
	}
}

// Cgroup gives the defaults for one cgroup of a machine with the policy m: its
// victims and its kills are the machine's, its pressure is its own, and what is
// softer than a kill is the machine's alone.
func Cgroup(m *Policy) Policy {
	p := *m
	p.Pressure = pressure.Cgroup()
	p.Window, p.Poll, p.PollUrgent, p.PollSlow = 2*time.Second, 200*time.Millisecond, 50*time.Millisecond, time.Second
	p.FillRate = Linux().FillRate
	p.Low, p.Partial, p.Complete = 0, 200*time.Millisecond, 1500*time.Millisecond
	p.Vmpressure, p.Relief = false, nil
	p.Untriggered, p.Sampling = false, false
	p.Relief = nil
	return p
}

// Android gives the defaults of the android profile.
func Android() Policy {
	p := Linux()
	p.Pressure = pressure.Android()
	p.Victim = victim.Policy{Roll: victim.RollOnly}
	p.FillRate = 0
	p.KillTimeout = 100 * time.Millisecond
	p.MaxKills = 0
	p.CountDying, p.CoolDown = false, 0
	return p
}

// Embedded gives the defaults for a small board: like linux, with quicker
// looks and low-RAM thrashing limits.
func Embedded() Policy {
	p := Linux()
	p.Pressure.ThrashingLimit, p.Pressure.ThrashingLimitDecay = 30, 50
	p.Pressure.ThrashingLimitCritical = 90
	p.Victim.MinGain = 1 << 20
	p.FillRate = 512 << 20
	p.KillTimeout = time.Second
	p.Partial = 200 * time.Millisecond
	return p
}
