package config

import (
	"time"

	"gopkg.in/yaml.v3"

	"github.com/lmkd/lmkd/pkg/psi"
)

const tebi = 1 << 40

// The ranges that several settings share.
var (
	whole    = limits[int]{low: 0, high: 100}
	refaults = limits[int]{low: 0, high: 100_000}
	memory   = limits[uint64]{low: 0, high: 64 * tebi}
	windows  = limits[time.Duration]{low: psi.MinWindow, high: psi.MaxWindow}
	stalls   = limits[time.Duration]{low: time.Millisecond, high: psi.MaxWindow, zero: true}
	pauses   = limits[time.Duration]{low: time.Millisecond, high: time.Minute}
	patience = limits[time.Duration]{low: 10 * time.Millisecond, high: time.Minute, zero: true}
	scores   = limits[int]{low: 0, high: 1001}
	levels   = limits[int]{low: -1000, high: 1001}
)

// schema is every setting, in the order of configs/lmkd.yaml.
var schema = []key{
	text("profile", profiles, profile),

	number("triggers.low_stall", times, stalls, lowStall),
	number("triggers.partial_stall", times, stalls, partialStall),
	number("triggers.complete_stall", times, stalls, completeStall),
	number("triggers.window", times, windows, window),

	number("cadence.poll", times, pauses, poll),
	number("cadence.poll_urgent", times, pauses, pollUrgent),
	number("cadence.poll_slow", times, pauses, pollSlow),
	number("cadence.fill_rate", rates, limits[uint64]{1 << 20, tebi, true}, fillRate),
	number("cadence.watermark_refresh", times, limits[time.Duration]{low: time.Second, high: time.Hour}, watermarkRefresh),

	text("pressure.rules", variants, variant),
	text("pressure.only_reclaim", switches, onlyReclaim),
	number("pressure.max_available", percents, whole, maxAvailable),
	number("pressure.low_available", percents, whole, lowAvailable),
	number("pressure.low_available_max", sizes, memory, lowAvailableBytes),
	number("pressure.exhaustion_horizon", times, limits[time.Duration]{low: time.Millisecond, high: 10 * time.Second, zero: true}, exhaustionHorizon),
	number("pressure.stall_max", percents, whole, stallMax),
	number("pressure.stall_min", percents, whole, stallMin),
	number("pressure.swap_free_low", percents, whole, swapFreeLowPercentage),
	number("pressure.swap_util_max", percents, whole, swapUtilMax),
	compression("pressure.swap_compression"),
	number("pressure.thrashing_limit", percents, refaults, thrashingLimit),
	number("pressure.thrashing_limit_decay", percents, whole, thrashingLimitDecay),
	number("pressure.thrashing_limit_critical", percents, refaults, thrashingLimitCritical),
	text("pressure.thrashing_mapped", switches, thrashingMapped),
	number("pressure.thrashing_window", times, windows, thrashingWindow),
	number("pressure.filecache_min", sizes, memory, filecacheMin),
	number("pressure.stall_limit", percents, whole, stallLimitCritical),
	number("pressure.direct_reclaim_stuck", times, patience, directReclaimThreshold),
	number("pressure.low_memory_min_adj", numbers, scores, lowmemMinOOMScore),
	number("pressure.after_kill_min_adj", numbers, scores, pressureAfterKillMinScore),
	number("pressure.perceptible_min_adj", numbers, limits[int]{low: 0, high: 1000}, perceptibleMinAdj),

	list("victim.bands", bands, victimBands),
	number("victim.min_gain", sizes, memory, minGain),
	list("victim.never", names, never),
	rules("victim.rules", userRules),
	text("victim.protect", switches, protect),
	number("victim.growth_weight", numbers, limits[int]{low: 0, high: 1000}, growthWeight),
	number("victim.brood", numbers, limits[int]{low: 2, high: 60, zero: true}, brood),
	text("victim.registered", rolls, rollUse),
	text("victim.registered_adj", words, rollKernel),
	text("victim.oom_group", switches, oomGroup),
	text("victim.managed_oom_preference", switches, preference),

	number("kill.timeout", times, patience, killTimeout),
	text("kill.count_dying", switches, countDying),
	number("kill.cool_down", times, limits[time.Duration]{low: time.Millisecond, high: 10 * time.Second, zero: true}, coolDown),
	number("kill.term_timeout", times, patience, termTimeout),
	number("kill.max_kills", numbers, limits[int]{low: 0, high: 128}, maxKills),
	number("kill.max_kills_window", times, limits[time.Duration]{low: time.Second, high: time.Hour}, killWindow),
	number("kill.watchdog", times, limits[time.Duration]{low: 100 * time.Millisecond, high: time.Minute, zero: true}, watchdog),

	acts("relief.acts", reliefActs),

	number("daemon.realtime_priority", numbers, limits[int]{low: 0, high: 99}, realtime),
	text("daemon.debug", switches, debug),
	text("daemon.trace", files, trace),

	text("metrics.listen", listens, listen),

	text("control.socket", sockets, controlSocket),
	text("control.android_socket", sockets, androidSocket),
	list("control.trusted", users, trusted),

	text("android.low_ram", switches, lowRAMDevice),
	text("android.per_app_memcg", switches, softLimits),
	text("android.log_stats", switches, logStats),
	text("android.debug", switches, debug),
	text("android.delay_monitors_until_boot", switches, waitForBoot),
	strategy("android.use_new_strategy"),
	text("android.use_minfree_levels", switches, minfreeLevels),
	text("android.minfree_levels", targets, minfreeTargets),
	number("android.low", numbers, levels, lowMinAdj),
	number("android.medium", numbers, levels, mediumMinAdj),
	number("android.critical", numbers, levels, criticalMinAdj),
	text("android.critical_upgrade", switches, criticalUpgrade),
	number("android.upgrade_pressure", numbers, whole, upgradePressure),
	number("android.downgrade_pressure", numbers, whole, downgradePressure),
	text("android.use_psi", switchedOff, vmpressure),
	number("android.psi_partial_stall_ms", millis, stalls, partialStall),
	number("android.psi_complete_stall_ms", millis, stalls, completeStall),
	number("android.psi_window_size_ms", millis, windows, window),
	text("android.kill_heaviest_task", switches, killHeaviestTask),
	number("android.kill_timeout_ms", millis, patience, killTimeout),
	number("android.pressure_after_kill_min_score", numbers, scores, pressureAfterKillMinScore),
	number("android.swap_free_low_percentage", numbers, whole, swapFreeLowPercentage),
	number("android.swap_util_max", numbers, whole, swapUtilMax),
	number("android.swap_compression_ratio", numbers, limits[int]{low: 0, high: 1000}, swapCompressionRatio),
	number("android.swap_compression_ratio_div", numbers, limits[int]{low: 1, high: 1000}, swapCompressionRatioDiv),
	text("android.relaxed_available_memory", switches, relaxedAvailableMemory),
	number("android.thrashing_limit", numbers, refaults, thrashingLimit),
	number("android.thrashing_limit_decay", numbers, whole, thrashingLimitDecay),
	number("android.thrashing_limit_critical", numbers, refaults, thrashingLimitCritical),
	number("android.filecache_min_kb", kilos, memory, filecacheMin),
	number("android.stall_limit_critical", numbers, whole, stallLimitCritical),
	number("android.direct_reclaim_threshold_ms", millis, patience, directReclaimThreshold),
	number("android.lowmem_min_oom_score", numbers, limits[int]{low: 201, high: 1001}, lowmemMinOOMScore),
}

// strategy is the choice between the present judgement and those before it; a
// field of its own says which of those.
func strategy(path string) key {
	k := text(path, switches, newStrategy)
	k.fields = func(c *Config) []any { return []any{newStrategy(c), &c.Machine.Pressure.Strategy} }
	return k
}

// compression is Android's ratio and its divisor as one value, or that it is
// measured.
func compression(path string) key {
	return key{
		path: path,
		read: func(c *Config, n *yaml.Node) error {
			r, err := scalar(n, ratios)
			if err == nil {
				*swapMeasured(c) = r.measured
				if !r.measured {
					*swapCompressionRatio(c), *swapCompressionRatioDiv(c) = r.over, r.under
				}
			}
			return err
		},
		show: func(c *Config) string {
			return ratios.show(ratio{*swapCompressionRatio(c), *swapCompressionRatioDiv(c), *swapMeasured(c)})
		},
		fields: func(c *Config) []any {
			return []any{swapMeasured(c), swapCompressionRatio(c), swapCompressionRatioDiv(c)}
		},
	}
}
