package config

import (
	"time"

	"github.com/lmkd/lmkd/internal/engine"
	"github.com/lmkd/lmkd/pkg/pressure"
	"github.com/lmkd/lmkd/pkg/victim"
)

// Where each setting lives. Two keys that share a function set the same thing.
func profile(c *Config) *Profile                 { return &c.Profile }
func partialStall(c *Config) *time.Duration      { return &c.Machine.Partial }
func completeStall(c *Config) *time.Duration     { return &c.Machine.Complete }
func window(c *Config) *time.Duration            { return &c.Machine.Window }
func poll(c *Config) *time.Duration              { return &c.Machine.Poll }
func pollUrgent(c *Config) *time.Duration        { return &c.Machine.PollUrgent }
func pollSlow(c *Config) *time.Duration          { return &c.Machine.PollSlow }
func fillRate(c *Config) *uint64                 { return &c.Machine.FillRate }
func watermarkRefresh(c *Config) *time.Duration  { return &c.Machine.WatermarkRefresh }
func variant(c *Config) *pressure.Variant        { return &c.Machine.Pressure.Variant }
func onlyReclaim(c *Config) *bool                { return &c.Machine.Pressure.OnlyReclaim }
func maxAvailable(c *Config) *int                { return &c.Machine.Pressure.MaxAvailable }
func lowAvailable(c *Config) *int                { return &c.Machine.Pressure.LowAvailable }
func lowAvailableBytes(c *Config) *uint64        { return &c.Machine.Pressure.LowAvailableBytes }
func exhaustionHorizon(c *Config) *time.Duration { return &c.Machine.Pressure.ExhaustionHorizon }
func stallMax(c *Config) *int                    { return &c.Machine.Pressure.StallMax }
func stallMin(c *Config) *int                    { return &c.Machine.Pressure.StallMin }
func swapMeasured(c *Config) *bool               { return &c.Machine.Pressure.SwapMeasured }
func relaxedAvailableMemory(c *Config) *bool     { return &c.Machine.Pressure.RelaxedAvailableMemory }
func swapFreeLowPercentage(c *Config) *int       { return &c.Machine.Pressure.SwapFreeLowPercentage }
func swapUtilMax(c *Config) *int                 { return &c.Machine.Pressure.SwapUtilMax }
func thrashingLimit(c *Config) *int              { return &c.Machine.Pressure.ThrashingLimit }
func thrashingLimitDecay(c *Config) *int         { return &c.Machine.Pressure.ThrashingLimitDecay }
func thrashingLimitCritical(c *Config) *int      { return &c.Machine.Pressure.ThrashingLimitCritical }
func thrashingMapped(c *Config) *bool            { return &c.Machine.Pressure.ThrashingMapped }
func thrashingWindow(c *Config) *time.Duration   { return &c.Machine.Pressure.ThrashingWindow }
func filecacheMin(c *Config) *uint64             { return &c.Machine.Pressure.FilecacheMin }
func stallLimitCritical(c *Config) *int          { return &c.Machine.Pressure.StallLimitCritical }
func directReclaimThreshold(c *Config) *time.Duration {
	return &c.Machine.Pressure.DirectReclaimThreshold
}
func lowmemMinOOMScore(c *Config) *int         { return &c.Machine.Pressure.LowmemMinOOMScore }
func pressureAfterKillMinScore(c *Config) *int { return &c.Machine.Pressure.PressureAfterKillMinScore }
func perceptibleMinAdj(c *Config) *int         { return &c.Machine.Pressure.PerceptibleMinAdj }
func victimBands(c *Config) *[]int16           { return &c.Machine.Victim.Bands }
func minGain(c *Config) *uint64                { return &c.Machine.Victim.MinGain }
func never(c *Config) *[]string                { return &c.Machine.Victim.Never }
func userRules(c *Config) *[]victim.Rule       { return &c.Rules }
func protect(c *Config) *bool                  { return &c.Protect }
func growthWeight(c *Config) *int              { return &c.Machine.Victim.GrowthWeight }
func brood(c *Config) *int                     { return &c.Machine.Victim.Brood }
func rollUse(c *Config) *victim.RollUse        { return &c.Machine.Victim.Roll }
func rollKernel(c *Config) *bool               { return &c.Machine.Victim.RollKernel }
func killHeaviestTask(c *Config) *bool         { return &c.Machine.Victim.KillHeaviest }
func oomGroup(c *Config) *bool                 { return &c.Machine.Victim.OOMGroup }
func preference(c *Config) *bool               { return &c.Machine.Victim.Preference }
func killTimeout(c *Config) *time.Duration     { return &c.Machine.KillTimeout }
func countDying(c *Config) *bool               { return &c.Machine.CountDying }
func coolDown(c *Config) *time.Duration        { return &c.Machine.CoolDown }
func termTimeout(c *Config) *time.Duration     { return &c.Machine.TermTimeout }
func maxKills(c *Config) *int                  { return &c.Machine.MaxKills }
func killWindow(c *Config) *time.Duration      { return &c.Machine.KillWindow }
func watchdog(c *Config) *time.Duration        { return &c.Watchdog }
func lowRAMDevice(c *Config) *bool             { return &c.Machine.Pressure.LowRAM }
func swapCompressionRatio(c *Config) *int      { return &c.Machine.Pressure.SwapCompressionRatio }
func swapCompressionRatioDiv(c *Config) *int   { return &c.Machine.Pressure.SwapCompressionRatioDiv }
func reliefActs(c *Config) *[]engine.Relief    { return &c.Machine.Relief }
func realtime(c *Config) *int                  { return &c.Realtime }
func trace(c *Config) *string                  { return &c.Trace }
func controlSocket(c *Config) *string          { return &c.Control.Socket }
func androidSocket(c *Config) *string          { return &c.Control.Android }
func trusted(c *Config) *[]uint32              { return &c.Control.Trusted }
func listen(c *Config) *string                 { return &c.Metrics.Listen }
func domains(c *Config) *[]Domain              { return &c.Domains }
