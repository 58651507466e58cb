package config

import (
	"fmt"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// variations are what a test writes in place of a setting's default, in the order
// in which it tries them.
var variations = []string{
	"true", "false", "0", "1", "7", "37", "250", "900", "3%", "37%", "99%", "37ms", "600ms", "3s", "37s", "5m", "37MiB", "37MiB/s", "2.5", "37:7",
	"android", "embedded", "android15", "[7]", "[seven]", "[{comm: seven, effect: never}]", "[{at: low, do: notify}]", "[{cgroup: /seven}]", "[/seven]", "[seven.slice]",
	"/seven", "unix:/seven", "off", "first", "kernel",
}

// bases are what the settings are varied in: each profile, and the older strategies
// with everything on that hangs on another setting.
var bases = []string{
	"profile: linux\n",
	"profile: embedded\n",
	"profile: linux\npressure: {direct_reclaim_stuck: 50ms, filecache_min: 10MiB, swap_util_max: 50%, stall_limit: 50%, low_memory_min_adj: 700, perceptible_min_adj: 201}\n",
	"profile: android\n",
	"profile: android\nandroid: {low: 900, use_new_strategy: false, critical_upgrade: true, upgrade_pressure: 60, downgrade_pressure: 90}\n",
	"profile: android\nandroid: {use_minfree_levels: true}\n",
	"profile: android\ncontrol: {android_socket: /run/lmkd/android}\n",
	"profile: linux\ncontrol: {android_socket: /run/lmkd/android}\n",
}

// untold are the settings that no sentence of what the daemon does can tell of.
var untold = map[string]string{
	"daemon.realtime_priority": "how the daemon is scheduled, which is a finding of the check",
	"daemon.trace":             "where the record goes",
	"metrics.listen":           "where numbers are served",
	"control.socket":           "where commands are heard",
}

// TestExplainTellsEverySetting: lmkd check --explain says something else for every
// setting, in some config at least, when the setting is changed.
func TestExplainTellsEverySetting(t *testing.T) {
	for _, key := range Keys() {
		if _, ok := untold[key]; !ok && !told(key) {
			t.Errorf("%s changes no sentence of lmkd check --explain", key)
		}
	}
}

func told(key string) bool {
	for _, base := range bases {
		before, err := Parse("base", []byte(base))
		if err != nil {
			panic(err)
		}
		for _, v := range variations {
			after, err := Parse("varied", vary(base, key, v))
			if err == nil && strings.Join(after.Explain(), "\n") != strings.Join(before.Explain(), "\n") {
				return true
			}
		}
	}
	return false
}

// vary sets key in a config to value.
func vary(base, key, value string) []byte {
	var doc, v map[string]any
	if err := yaml.Unmarshal([]byte(base), &doc); err != nil {
		panic(err)
	}
	if yaml.Unmarshal([]byte(fmt.Sprintf("v: %s\n", value)), &v) != nil {
		return nil
	}
	section, leaf := split(key)
	if section == "" {
		doc[leaf] = v["v"]
	} else {
		m, _ := doc[section].(map[string]any)
		if m == nil {
			m = map[string]any{}
			doc[section] = m
		}
		m[leaf] = v["v"]
	}
	out, err := yaml.Marshal(doc)
	if err != nil {
		panic(err)
	}
	return out
}
