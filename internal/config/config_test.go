package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/lmkd/lmkd/internal/engine"
	"github.com/lmkd/lmkd/pkg/pressure"
)

func TestParse(t *testing.T) {
	tests := map[string]struct {
		text string
		want func(*Config)
	}{
		"empty":          {"", nil},
		"comments":       {"# nothing\n", nil},
		"empty sections": {"pressure:\nvictim:\nandroid:\n", nil},
		"spellings": {"triggers: {partial_stall: 0.1s, window: 2s}\nvictim: {min_gain: 1.5M}\ncadence: {fill_rate: 100MB/s}\n", func(c *Config) {
			c.Machine.Partial, c.Machine.Window = 100*time.Millisecond, 2*time.Second
			c.Machine.Victim.MinGain = 3 << 19
			c.Machine.FillRate = 100e6
		}},
		"lists": {"victim:\n  bands: [500, 0, -500]\n  never: [sshd, \"a b\"]\n", func(c *Config) {
			c.Machine.Victim.Bands = []int16{500, 0, -500}
			c.Machine.Victim.Never = []string{"sshd", "a b"}
		}},
		"empty list": {"victim: {bands: []}\n", func(c *Config) { c.Machine.Victim.Bands = nil }},
		"zeros": {"pressure: {max_available: 0, low_available: 0%, low_available_max: 0}\nkill: {timeout: 0}\n", func(c *Config) {
			p := &c.Machine.Pressure
			p.MaxAvailable, p.LowAvailable, p.LowAvailableBytes = 0, 0, 0
			c.Machine.KillTimeout = 0
		}},
		"ratio": {"pressure: {swap_compression: 2.63}\n", func(c *Config) {
			p := &c.Machine.Pressure
			p.SwapMeasured, p.SwapCompressionRatio, p.SwapCompressionRatioDiv = false, 263, 100
		}},
		"measured": {"profile: android\npressure: {swap_compression: measured, stall_min: 7%, exhaustion_horizon: 20ms}\nandroid: {relaxed_available_memory: true}\n", func(c *Config) {
			*c = *Default(Android)
			c.Machine.Pressure.SwapMeasured, c.Machine.Pressure.RelaxedAvailableMemory = true, true
			c.Machine.Pressure.StallMin, c.Machine.Pressure.ExhaustionHorizon = 7, 20*time.Millisecond
		}},
		"daemon": {"daemon: {realtime_priority: 0, trace: /var/log/t}\nmetrics: {listen: \"unix:/run/lmkd.sock\"}\n", func(c *Config) {
			c.Realtime, c.Trace, c.Metrics.Listen = 0, "/var/log/t", "unix:/run/lmkd.sock"
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Parse("f", []byte(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			want := Default(Linux)
			if tt.want != nil {
				tt.want(want)
			}
			equal(t, got, want)
		})
	}
}

func TestParseAndroid(t *testing.T) {
	got, err := Parse("f", []byte("profile: android\nandroid:\n  low_ram: true\n  filecache_min_kb: 100\n  psi_window_size_ms: 2000\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := Default(Android)
	want.Machine.Pressure.LowRAM, want.Control.SoftLimits = true, true
	want.Machine.Partial, want.Machine.Window = 200*time.Millisecond, 2*time.Second
	want.Machine.Pressure.ThrashingLimit, want.Machine.Pressure.ThrashingLimitDecay = 30, 50
	want.Machine.Pressure.FilecacheMin = 100 << 10
	equal(t, got, want)
}

// TestStrategies: the older judgements, and the defaults that come with them.
func TestStrategies(t *testing.T) {
	stalls := func(m *engine.Policy, low, partial, complete int) {
		m.Low, m.Partial, m.Complete = time.Duration(low)*time.Millisecond, time.Duration(partial)*time.Millisecond, time.Duration(complete)*time.Millisecond
	}
	for text, want := range map[string]func(*Config){
		"{use_minfree_levels: true, minfree_levels: '18432:0, 46080:900'}": func(c *Config) {
			c.NewStrategy, c.MinfreeLevels = false, true
			c.Machine.Pressure.Strategy = pressure.ByMinfree
			c.Machine.Pressure.Minfree = pressure.Targets{{Bytes: 72 << 20}, {Bytes: 180 << 20, MinAdj: 900}}
			stalls(&c.Machine, 70, 100, 70)
		},
		"{use_new_strategy: false, medium: 700, critical_upgrade: true, upgrade_pressure: 60, downgrade_pressure: 90}": func(c *Config) {
			p := &c.Machine.Pressure
			c.NewStrategy, p.Strategy = false, pressure.ByLevel
			p.MediumMinAdj, p.CriticalUpgrade, p.UpgradePressure, p.DowngradePressure = 700, true, 60, 90
			stalls(&c.Machine, 70, 100, 70)
		},
		"{use_psi: false}": func(c *Config) {
			c.NewStrategy, c.Machine.Pressure.Strategy, c.Machine.Vmpressure = false, pressure.ByLevel, true
			stalls(&c.Machine, 70, 100, 70)
		},
		"{use_new_strategy: false, psi_partial_stall_ms: 0}": func(c *Config) {
			c.NewStrategy, c.Machine.Pressure.Strategy = false, pressure.ByLevel
			stalls(&c.Machine, 70, 0, 70)
		},
		"{use_minfree_levels: true, low_ram: true}": func(c *Config) {
			c.lowRAM()
			c.MinfreeLevels = true // and the present strategy all the same
		},
	} {
		got, err := Parse("f", []byte("profile: android\nandroid: "+text+"\n"))
		if err != nil {
			t.Fatal(err)
		}
		c := Default(Android)
		want(c)
		equal(t, got, c)
	}
}

// Until Android 16 the critical limit followed the plain one.
func TestAndroid15CriticalLimit(t *testing.T) {
	got, err := Parse("f", []byte("profile: android\npressure: {rules: android15}\nandroid: {thrashing_limit: 40}\n"))
	if err != nil {
		t.Fatal(err)
	}
	p := &got.Machine.Pressure
	if p.Variant != pressure.V15 || p.ThrashingLimitCritical != 120 {
		t.Errorf("variant %v, critical limit %d; want V15, 120", p.Variant, p.ThrashingLimitCritical)
	}
}

// equal compares all but where the values came from.
func equal(t *testing.T, got, want *Config) {
	t.Helper()
	a, b := *got, *want
	a.set, b.set, a.Source, b.Source = nil, nil, "", ""
	if !reflect.DeepEqual(a, b) {
		t.Errorf("got  %+v\nwant %+v", a, b)
	}
}

func TestErrors(t *testing.T) {
	tests := []struct{ text, want string }{
		{"pressure:\n  thrashing_limt: 50%\n", "f:2:3: pressure.thrashing_limt: is no key; the nearest one is pressure.thrashing_limit"},
		{"thrashing_limit: 50%\n", "f:1:1: thrashing_limit: is no key; the nearest one is pressure.thrashing_limit"},
		{"presure: {}\n", "f:1:1: presure: is no key; the nearest one is pressure"},
		{"profile: linux\nprofile: linux\n", "f:2:1: profile: is set twice, first at line 1"},
		{"kill: {}\nkill: {}\n", "f:2:1: kill: is set twice, first at line 1"},
		{"profile: windows\n", `f:1:10: profile: "windows" is no profile: write linux, android or embedded`},
		{"profile: [linux]\n", "f:1:10: profile: is a list: write linux, android or embedded"},
		{"kill:\n  timeout: 5\n", `f:2:12: kill.timeout: "5" needs a unit: write a time such as 70ms`},
		{"kill:\n  timeout: soon\n", `f:2:12: kill.timeout: "soon" is no time: write a time such as 70ms`},
		{"kill:\n  timeout: 2h\n", `f:2:12: kill.timeout: "2h" is out of range: 0 or 10ms to 1m`},
		{"kill:\n  timeout: -1s\n", `f:2:12: kill.timeout: "-1s" is out of range: 0 or 10ms to 1m`},
		{"kill:\n  timeout:\n", "f:2:11: kill.timeout: has no value: write a time such as 70ms, or leave the key out"},
		{"kill:\n  timeout: {a: 1}\n", "f:2:12: kill.timeout: has keys below it: write a time such as 70ms"},
		{"kill: 5s\n", "f:1:7: kill: must have keys below it"},
		{"kill: &k {timeout: 5s}\nvictim: *k\n", "f:2:9: victim: is an alias (*k): write the value itself"},
		{"victim:\n  min_gain: 10\n", `f:2:13: victim.min_gain: "10" needs a unit: write a size such as 64MiB`},
		{"victim:\n  min_gain: -1MiB\n", `f:2:13: victim.min_gain: "-1MiB" is no size: write a size such as 64MiB`},
		{"victim:\n  min_gain: 9000000000GiB\n", `f:2:13: victim.min_gain: "9000000000GiB" is more than a machine can have: write a size such as 64MiB`},
		{"victim:\n  bands: [0, 900]\n", "f:2:3: victim.bands: 900 stands after 0: the numbers must fall"},
		{"victim:\n  bands: 900\n", "f:2:10: victim.bands: is no list: write a list of numbers from 1000 down to -999 such as [900, 0], or [] for none"},
		{"victim:\n  bands: [1001]\n", `f:2:11: victim.bands: "1001" is no oom_score_adj from -999 to 1000: write a list of numbers from 1000 down to -999 such as [900, 0]`},
		{"victim:\n  never: [a-name-longer-than-15]\n", `f:2:11: victim.never: "a-name-longer-than-15" is longer than the 15 bytes that the kernel keeps of a task name: write a list of task names such as [sshd, Xorg]`},
		{"pressure:\n  low_available: 10\n", `f:2:18: pressure.low_available: "10" needs its % sign: write a percentage such as 10%`},
		{"pressure:\n  low_available: 2.5%\n", `f:2:18: pressure.low_available: "2.5%" is not a whole percentage: write a percentage such as 10%`},
		{"pressure:\n  low_available: 101%\n", `f:2:18: pressure.low_available: "101%" is out of range: 0% to 100%`},
		{"pressure:\n  low_available: 30%\n", "f:2:3: pressure.low_available: memory would be exhausted below 30% but nothing is ever done above 25% (pressure.max_available)"},
		{"pressure:\n  thrashing_limit: 400%\n", "f:2:3: pressure.thrashing_limit: the critical limit of 300% is below the limit of 400%"},
		{"pressure:\n  swap_compression: 1/0\n", `f:2:21: pressure.swap_compression: "1/0" is out of range: 0 to 1000, with at most 100000 on either side of the line`},
		{"triggers:\n  partial_stall: 2s\n", "f:2:3: triggers.partial_stall: triggers.partial_stall is 2s, which is more than triggers.window of 1s"},
		{"triggers:\n  window: 600ms\n", "f:2:3: triggers.window: triggers.complete_stall is 700ms, which is more than triggers.window of 600ms"},
		{"triggers:\n  window: 100ms\n", `f:2:11: triggers.window: "100ms" is out of range: 500ms to 10s`},
		{"cadence:\n  poll: 5ms\n", "f:2:3: cadence.poll: cadence.poll_urgent is 10ms, which is more than cadence.poll of 5ms"},
		{"cadence:\n  fill_rate: 1GiB\n", `f:2:14: cadence.fill_rate: "1GiB" needs its /s: write a rate such as 512MiB/s`},
		{"metrics:\n  listen: localhost\n", `f:2:11: metrics.listen: "localhost" is no host:port (an IPv6 address stands in [ ]): write host:port, unix:/path or off`},
		{"metrics:\n  listen: \":http\"\n", `f:2:11: metrics.listen: ":http" has no port between 1 and 65535: write host:port, unix:/path or off`},
		{"metrics:\n  listen: unix:run\n", `f:2:11: metrics.listen: "unix:run" names no absolute path of at most 107 bytes: write host:port, unix:/path or off`},
		{"daemon:\n  trace: t.jsonl\n", `f:2:10: daemon.trace: "t.jsonl" is no absolute path: write an absolute path or off`},
		{"android:\n  low_ram: true\n", "f:1:1: android: its properties hold in the android profile alone, and the profile is linux"},
		{"profile: android\nandroid:\n  low_ram: yes\n", `f:3:12: android.low_ram: "yes" is neither true nor false: write true or false`},
		{"profile: android\nandroid:\n  use_ps: true\n", "f:3:3: android.use_ps: is no key; the nearest one is android.use_psi"},
		{"profile: android\nandroid:\n  swap_compression_ratio_div: 0\n", `f:3:31: android.swap_compression_ratio_div: "0" is out of range: 1 to 1000`},
		{"profile: android\nandroid:\n  kill_timeout_ms: 100\nkill:\n  timeout: 1s\n", "f:3:3: android.kill_timeout_ms: sets the same as kill.timeout at line 5: keep one of them"},
		{"profile: android\nandroid:\n  use_psi: false\n  use_new_strategy: true\n", "f:4:3: android.use_new_strategy: goes by PSI, and use_psi is false: the events of vmpressure are judged by the older strategies"},
		{"profile: android\nandroid:\n  use_minfree_levels: true\n  use_new_strategy: true\n", "f:3:3: android.use_minfree_levels: asks for an older strategy, and use_new_strategy for the present one: keep one of them"},
		{"profile: android\nandroid:\n  minfree_levels: 1000:0\n", "f:3:3: android.minfree_levels: is looked at by no rule: set use_minfree_levels too, and use_new_strategy to false with low_ram"},
		{"profile: android\nandroid:\n  minfree_levels: 1000\n", `f:3:19: android.minfree_levels: "1000" is no list of pages:oom_score_adj: write up to 6 pairs of pages and oom_score_adj such as 18432:0,46080:900, or off`},
		{"profile: android\nandroid:\n  minfree_levels: 1:1,1:1,1:1,1:1,1:1,1:1,1:1\n", `f:3:19: android.minfree_levels: "1:1,1:1,1:1,1:1,1:1,1:1,1:1" has more than 6 pairs: write up to 6 pairs of pages and oom_score_adj such as 18432:0,46080:900, or off`},
		{"profile: android\nandroid:\n  use_psi: no\n", `f:3:12: android.use_psi: "no" is neither true nor false: write true or false`},
		{"profile: android\ncontrol: {android_socket: off}\nandroid:\n  delay_monitors_until_boot: true\n", "f:4:3: android.delay_monitors_until_boot: waits for a client to send LMK_START_MONITORING or LMK_BOOT_COMPLETED, and control.android_socket is off"},
		{"a: b: c\n", "f:1: is no YAML: mapping values are not allowed in this context"},
		{"profile: linux\nkill: *nobody\n", "f:2: is no YAML: unknown anchor 'nobody' referenced"},
		{"kill:\n  timeout: 5s\n\x00", "f:3: is no YAML: control characters are not allowed"},
		{"kill:\n  timeout: \xff\n", "f:2: is no YAML: invalid leading UTF-8 octet"},
		{"- a\n", "f:1:1: must have keys below it"},
		{"? [a]\n: b\n", "f:1:3: a key must be a word"},
		{"profile: linux\n---\nprofile: linux\n", "f:2:1: a second document begins here: a config is one"},
	}
	for _, tt := range tests {
		c, err := Parse("f", []byte(tt.text))
		if err == nil || err.Error() != tt.want || c != nil {
			t.Errorf("%q:\ngot  %v\nwant %s", tt.text, err, tt.want)
		}
	}
}

// Everything that is wrong is said at once, in the order of the lines.
func TestAllErrorsAtOnce(t *testing.T) {
	_, err := Parse("f", []byte("victim:\n  min_gain: 1\nkil: {}\npressure:\n  rules: android9\n"))
	var all Errors
	if !errors.As(err, &all) || len(all) != 3 {
		t.Fatalf("got %v, want three errors", err)
	}
	for i, line := range []int{2, 3, 5} {
		if all[i].Line != line {
			t.Errorf("error %d is of line %d, want %d", i, all[i].Line, line)
		}
	}
	var one *Error
	if !errors.As(err, &one) || one.Key != "victim.min_gain" {
		t.Errorf("errors.As gives %v", one)
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	there, gone := filepath.Join(dir, "a.yaml"), filepath.Join(dir, "b.yaml")
	if err := os.WriteFile(there, []byte("profile: embedded\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct{ path, fallback, source, err string }{
		"named":            {there, gone, there, ""},
		"named, missing":   {gone, there, "", "read config " + gone + ": no such file or directory"},
		"named, directory": {dir, there, "", "read config " + dir + ": is a directory"},
		"default":          {"", there, there, ""},
		"built-in":         {"", gone, BuiltIn, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c, err := load(tt.path, tt.fallback)
			if tt.err != "" {
				if err == nil || err.Error() != tt.err {
					t.Fatalf("got error %v, want %s", err, tt.err)
				}
				return
			}
			if err != nil || c.Source != tt.source {
				t.Fatalf("got %+v, %v; want source %s", c, err, tt.source)
			}
		})
	}
}

// Every number of the policy can be set: a field without a key would be a knob
// that only the compiler can turn.
func TestEveryFieldHasAKey(t *testing.T) {
	var c Config
	known := map[any]bool{
		&c.Machine.Untriggered:     true, // what the kernel gives, found at start
		&c.Machine.Sampling:        true,
		&c.Machine.Pressure.Cgroup: true, // what is judged
		&c.Source:                  true,
	}
	for i := range schema {
		for _, p := range schema[i].fields(&c) {
			known[p] = true
		}
	}
	var walk func(path string, v reflect.Value)
	walk = func(path string, v reflect.Value) {
		for i := range v.NumField() {
			f := v.Type().Field(i)
			switch {
			case !f.IsExported():
			case f.Type.Kind() == reflect.Struct:
				walk(path+"."+f.Name, v.Field(i))
			case !known[v.Field(i).Addr().Interface()]:
				t.Errorf("%s.%s has no key", path, f.Name)
			}
		}
	}
	walk("Config", reflect.ValueOf(&c).Elem())
}

func TestSettings(t *testing.T) {
	c, err := Parse("f", []byte("profile: android\nandroid:\n  kill_timeout_ms: 200\n"))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]Setting{}
	for _, s := range c.Settings() {
		got[s.Key] = s
	}
	if s := got["android.kill_timeout_ms"]; s.Value != "200" || s.Line != 3 {
		t.Errorf("android.kill_timeout_ms: %+v", s)
	}
	for _, key := range []string{"kill.timeout", "android.thrashing_limit"} {
		if s, ok := got[key]; ok {
			t.Errorf("%s is listed beside its other name: %+v", key, s)
		}
	}
	if s := got["pressure.thrashing_limit"]; s.Value != "100%" || s.Line != 0 {
		t.Errorf("pressure.thrashing_limit: %+v", s)
	}
}

func TestExplain(t *testing.T) {
	for _, r := range pressure.Reasons() {
		if _, ok := reasons[r]; !ok {
			t.Errorf("reason %s has no words", r)
		}
	}
	tests := []struct{ text, want string }{
		{"", "I never act while more than 25% of memory is available."},
		{"", "less than 5% (at most 512MiB) of memory is available"},
		{"pressure: {max_available: 0, low_available: 0}", "switched off."},
		{"pressure: {stall_limit: 40%}", "more than 40% of the last 10s"},
		{"pressure: {swap_free_low: 0%}", "of memory is available and there is no swap (low_available)"},
		{"victim: {never: [sshd]}", `or one named "sshd".`},
		{"kill: {timeout: 0}", "however long it takes."},
		{"profile: android", "processes at oom_score_adj 201 and above, those at 0 and above once 300% came back, may die."},
		{"profile: android\nandroid: {use_psi: false}", "I wake when the kernel's vmpressure says low, medium or critical"},
		{"profile: android\nandroid: {use_new_strategy: false}", "I wake when some tasks lost 70ms to memory within 1s (a low event), when some"},
		{"profile: android\nandroid: {use_new_strategy: false}", "I act when the kernel says medium or critical, and less is free than ever was at a low event (pressure_level)"},
		{"profile: android\nandroid: {use_new_strategy: false, low_ram: true, critical_upgrade: true, upgrade_pressure: 60, downgrade_pressure: 90}",
			"counts one level higher while less than 60% of the memory and swap in use is memory, critical as medium while more than 60% of it is memory and swap is left, and not while more than 90%"},
		{"profile: android\nandroid: {use_minfree_levels: true}", "a target that a client named (LMK_TARGET) (low_minfree)"},
		{"profile: android\nandroid: {use_minfree_levels: true, minfree_levels: '18432:0'}", "below one of 18432:0 (pages"},
		{"triggers: {partial_stall: 0, complete_stall: 0}", "I wake when the kernel begins to reclaim, and for no stall."},
		{"profile: android\nandroid: {direct_reclaim_threshold_ms: 50}", "longer than 50ms (direct_reclaim_stuck)"},
	}
	for _, tt := range tests {
		c, err := Parse("f", []byte(tt.text))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(c.Explain(), "\n"); !strings.Contains(got, tt.want) {
			t.Errorf("%q: no %q in\n%s", tt.text, tt.want, got)
		}
	}
}

func TestDefaultsAreTheEngines(t *testing.T) {
	for p, want := range map[Profile]engine.Policy{Linux: engine.Linux(), Android: engine.Android(), Embedded: engine.Embedded()} {
		if got := Default(p).Machine; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", p, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	data, err := os.ReadFile("../../configs/lmkd.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	for _, s := range []string{"", "profile: android\nandroid: {low_ram: true}", "victim: {bands: [1, 0], never: [a]}", "a: &a [*a]", "<<: {kill: 1}", "kill: !!binary x"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("f", data)
		if (c == nil) == (err == nil) {
			t.Fatalf("config %v with error %v", c, err)
		}
		if c == nil {
			return
		}
		for i := range schema {
			if strings.ContainsAny(schema[i].show(c), "\n\x00") {
				t.Errorf("%s shows %q", schema[i].path, schema[i].show(c))
			}
		}
		c.Explain()
	})
}
