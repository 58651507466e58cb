package config

import (
	"time"

	"github.com/lmkd/lmkd/pkg/pressure"
)

// check looks at what only several settings together can get wrong.
func (d *decoder) check(c *Config) {
	d.checkAndroid(c)
	d.checkClashes(c)
	d.derive(c)
	d.checkStrategy(c)
	d.checkBoot(c)
	d.checkTimes(c)
	d.checkPressure(c)
	d.checkBands(c)
}

// blame puts an error where the first of the keys that the file sets stands.
func (d *decoder) blame(c *Config, format string, args []any, keys ...string) {
	for _, k := range keys {
		if p, ok := c.set[k]; ok {
			d.fail(p, k, format, args...)
			return
		}
	}
	d.fail(position{}, keys[0], format, args...)
}

// checkAndroid keeps the properties of Android out of other profiles, where
// they would mix two sets of defaults.
func (d *decoder) checkAndroid(c *Config) {
	if f, ok := d.nodes["android"]; ok && c.Profile != Android && len(f.value.Content) > 0 {
		d.fail(f.at, "android", "its properties hold in the android profile alone, and the profile is %s", c.Profile)
	}
}

// checkClashes finds a field that the file sets under two names.
func (d *decoder) checkClashes(c *Config) {
	var seen []*key
	for i := range schema {
		k := &schema[i]
		if _, ok := c.set[k.path]; !ok {
			continue
		}
		for _, other := range seen {
			if section, _ := split(k.path); section == "android" && !sameSection(k, other) && k.clashes(other) {
				d.fail(c.set[k.path], k.path, "sets the same as %s at line %d: keep one of them", other.path, c.set[other.path].line)
			}
		}
		seen = append(seen, k)
	}
}

func sameSection(a, b *key) bool {
	x, _ := split(a.path)
	y, _ := split(b.path)
	return x == y
}

// derive fills in defaults that hang on other settings: until Android 16 the
// critical limit was three times the plain one, and the older strategies have
// stalls of their own.
func (d *decoder) derive(c *Config) {
	if c.Profile != Android {
		return
	}
	m := &c.Machine
	p := &m.Pressure
	if !c.sets("pressure.thrashing_limit_critical") && p.Variant == pressure.V15 {
		p.ThrashingLimitCritical = 3 * p.ThrashingLimit
	}
	if !c.sets("android.use_new_strategy") {
		c.NewStrategy = !m.Vmpressure && (p.LowRAM || !c.MinfreeLevels)
	}
	switch {
	case c.NewStrategy:
		return
	case c.MinfreeLevels:
		p.Strategy = pressure.ByMinfree
	default:
		p.Strategy = pressure.ByLevel
	}
	for path, stall := range map[string]*time.Duration{
		"triggers.low_stall": &m.Low, "triggers.partial_stall": &m.Partial, "triggers.complete_stall": &m.Complete,
	} {
		if !c.sets(path) {
			*stall = olderStalls[path]
		}
	}
}

// olderStalls are the thresholds of Android's older strategies.
var olderStalls = map[string]time.Duration{
	"triggers.low_stall":      70 * time.Millisecond,
	"triggers.partial_stall":  100 * time.Millisecond,
	"triggers.complete_stall": 70 * time.Millisecond,
}

// sets tells whether the file sets the key, under whichever name.
func (c *Config) sets(path string) bool {
	for _, name := range c.names(path) {
		if _, ok := c.set[name]; ok {
			return true
		}
	}
	return false
}

// checkBoot: somebody must be able to say that the machine is up.
func (d *decoder) checkBoot(c *Config) {
	if c.Control.WaitForBoot && c.Control.Android == "" {
		d.blame(c, "waits for a client to send LMK_START_MONITORING or LMK_BOOT_COMPLETED, and control.android_socket is off", nil, "android.delay_monitors_until_boot")
	}
}

// checkStrategy finds settings that contradict the choice of a strategy.
func (d *decoder) checkStrategy(c *Config) {
	p := &c.Machine.Pressure
	switch {
	case c.NewStrategy && c.Machine.Vmpressure:
		d.blame(c, "goes by PSI, and use_psi is false: the events of vmpressure are judged by the older strategies", nil, "android.use_new_strategy")
	case c.NewStrategy && c.MinfreeLevels && c.sets("android.use_new_strategy"):
		d.blame(c, "asks for an older strategy, and use_new_strategy for the present one: keep one of them", nil, "android.use_minfree_levels")
	case p.Strategy != pressure.ByMinfree && p.Minfree != (pressure.Targets{}):
		d.blame(c, "is looked at by no rule: set use_minfree_levels too, and use_new_strategy to false with low_ram", nil, "android.minfree_levels")
	}
}

func (d *decoder) checkTimes(c *Config) {
	m := &c.Machine
	d.atMost(c, "triggers.low_stall", m.Low, "triggers.window", m.Window)
	d.atMost(c, "triggers.partial_stall", m.Partial, "triggers.window", m.Window)
	d.atMost(c, "triggers.complete_stall", m.Complete, "triggers.window", m.Window)
	d.atMost(c, "cadence.poll_urgent", m.PollUrgent, "cadence.poll", m.Poll)
	d.atMost(c, "cadence.poll", m.Poll, "cadence.poll_slow", m.PollSlow)
}

// atMost blames whichever of two times the file sets when small exceeds large.
func (d *decoder) atMost(c *Config, small string, a time.Duration, large string, b time.Duration) {
	if a > b {
		d.blame(c, "%s is %s, which is more than %s of %s", []any{small, FormatTime(a), large, FormatTime(b)},
			append(c.names(small), c.names(large)...)...)
	}
}

// names gives a key and those that set the same.
func (c *Config) names(path string) []string {
	k, out := find(path), []string{path}
	for i := range schema {
		if schema[i].path != path && k.clashes(&schema[i]) {
			out = append(out, schema[i].path)
		}
	}
	return out
}

func (d *decoder) checkPressure(c *Config) {
	p := &c.Machine.Pressure
	if p.ThrashingLimitCritical < p.ThrashingLimit {
		d.blame(c, "the critical limit of %d%% is below the limit of %d%%", []any{p.ThrashingLimitCritical, p.ThrashingLimit},
			append(c.names("pressure.thrashing_limit_critical"), c.names("pressure.thrashing_limit")...)...)
	}
	if p.MaxAvailable > 0 && p.LowAvailable > p.MaxAvailable {
		d.blame(c, "memory would be exhausted below %d%% but nothing is ever done above %d%% (pressure.max_available)",
			[]any{p.LowAvailable, p.MaxAvailable}, "pressure.low_available", "pressure.max_available")
	}
}

// checkBands: the classes go down, for the first that a process reaches is its.
func (d *decoder) checkBands(c *Config) {
	b := c.Machine.Victim.Bands
	for i := 1; i < len(b); i++ {
		if b[i] >= b[i-1] {
			d.blame(c, "%d stands after %d: the numbers must fall", []any{b[i], b[i-1]}, "victim.bands")
			return
		}
	}
}
