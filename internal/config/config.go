package config

import (
	"time"

	"github.com/lmkd/lmkd/internal/engine"
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
	LowRAM  bool // android: the defaults for a device with little memory

	Machine  engine.Policy // the judgement on the whole machine
	Realtime int           // SCHED_FIFO priority of the loop, 0 for nice -20 instead
	Trace    string        // file that the flight record is written to, "" for none
	Metrics  Metrics

	set map[string]position // where the file set what it set
}

// Metrics says where numbers are served.
type Metrics struct {
	Listen string // host:port or unix:/path, "" for nowhere
}

// Default gives a profile as it is without a file.
func Default(p Profile) *Config {
	c := &Config{Source: BuiltIn, Profile: p, Realtime: 1, set: map[string]position{}}
	switch p {
	case Android:
		c.Machine = engine.Android()
	case Embedded:
		c.Machine = engine.Embedded()
	default:
		c.Machine = engine.Linux()
	}
	return c
}

// lowRAM lays the defaults of ro.config.low_ram over the android profile.
func (c *Config) lowRAM() {
	c.Machine.Partial = 200 * time.Millisecond
	c.Machine.Pressure.ThrashingLimit, c.Machine.Pressure.ThrashingLimitDecay = 30, 50
}
