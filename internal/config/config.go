package config

import (
	"slices"
	"time"

	"github.com/lmkd/lmkd/internal/engine"
	"github.com/lmkd/lmkd/pkg/victim"
)

// Profile is a set of defaults that fits together.
type Profile uint8

// The profiles.
const (
	Linux    Profile = iota // desktops and servers: every process is a candidate
	Android                 // the numbers and the rules of Android's own daemon
	Embedded                // boards from 64 MiB up
)

var profileNames = []string{"linux", "android", "embedded"}

func (p Profile) String() string { return profileNames[p] }

// Profiles lists all of them.
func Profiles() []Profile { return []Profile{Linux, Android, Embedded} }

// Config is everything that a person can set, complete and within its ranges.
type Config struct {
	Source  string // the file it was read from, "built-in" without one
	Profile Profile

	// android: whether the present judgement is wanted, or that by targets; what
	// comes of both is Machine.Pressure.Strategy.
	NewStrategy, MinfreeLevels bool

	Machine  engine.Policy // the judgement on the whole machine
	Watchdog time.Duration // a loop that hung for so long is stood in for, 0 for never
	Rules    []victim.Rule // of the file: in Machine before those of the profile
	Protect  bool          // the profile's own rules hold
	Realtime int           // SCHED_FIFO priority of the loop, 0 for nice -20 instead
	Debug    bool          // the log explains every verdict that acts, and every choice
	Trace    string        // file that the flight record is written to, "" for none
	Metrics  Metrics
	Domains  []Domain // the cgroups that are judged each for itself

	Control Control

	set map[string]position // where the file set what it set
}

// Metrics says where numbers are served.
type Metrics struct {
	Listen string // host:port or unix:/path, "" for nowhere
}

// Control says where clients are heard.
type Control struct {
	// WaitForBoot has the daemon watch nothing until a trusted client says that the
	// machine is up.
	WaitForBoot bool
	// Stats tells clients the numbers of each kill.
	Stats bool
	// SoftLimits gives the cgroup of each registered app a soft limit (cgroup v1).
	SoftLimits bool
	// Socket tells of levels and kills, Android speaks the protocol of Android's
	// lmkd: a path, Auto, or "" for neither.
	Socket, Android string
	// Trusted are the users beside root who may register any process.
	Trusted []uint32
}

// androidSystem is the user that Android's framework runs as.
const androidSystem = 1000

// Default gives a profile as it is without a file.
func Default(p Profile) *Config {
	c := &Config{Source: BuiltIn, Profile: p, Realtime: 1, Watchdog: 2 * time.Second, set: map[string]position{}}
	switch p {
	case Android:
		c.Machine, c.NewStrategy = engine.Android(), true
		c.Control.Android, c.Control.Trusted = Auto, []uint32{androidSystem}
	case Embedded:
		c.Machine = engine.Embedded()
	default:
		c.Machine = engine.Linux()
	}
	c.Control.Socket, c.Control.Stats = Auto, true
	c.Protect = len(c.Machine.Victim.Rules) > 0
	return c
}

// layRules puts the rules of the file before those of the profile, which stay
// if they shall protect.
func (c *Config) layRules() {
	own := Default(c.Profile).Machine.Victim.Rules
	if c.Protect && len(own) == 0 {
		own = victim.BuiltIn()
	}
	if !c.Protect {
		own = nil
	}
	c.Machine.Victim.Rules = append(slices.Clip(c.Rules), own...)
}

// lowRAM lays the defaults of ro.config.low_ram over the android profile.
func (c *Config) lowRAM() {
	c.Machine.Partial = 200 * time.Millisecond
	p := &c.Machine.Pressure
	p.LowRAM, p.ThrashingLimit, p.ThrashingLimitDecay = true, 30, 50
	c.Control.SoftLimits = true
}
