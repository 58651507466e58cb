package config

import (
	"time"

	"github.com/lmkd/lmkd/pkg/pressure"
)

// Where the settings of Android's live that have no other name.
func waitForBoot(c *Config) *bool { return &c.Control.WaitForBoot }
func logStats(c *Config) *bool    { return &c.Control.Stats }
func softLimits(c *Config) *bool  { return &c.Control.SoftLimits }
func debug(c *Config) *bool       { return &c.Debug }

// Where those of its older strategies do.
func lowStall(c *Config) *time.Duration          { return &c.Machine.Low }
func vmpressure(c *Config) *bool                 { return &c.Machine.Vmpressure }
func newStrategy(c *Config) *bool                { return &c.NewStrategy }
func minfreeLevels(c *Config) *bool              { return &c.MinfreeLevels }
func minfreeTargets(c *Config) *pressure.Targets { return &c.Machine.Pressure.Minfree }
func lowMinAdj(c *Config) *int                   { return &c.Machine.Pressure.LowMinAdj }
func mediumMinAdj(c *Config) *int                { return &c.Machine.Pressure.MediumMinAdj }
func criticalMinAdj(c *Config) *int              { return &c.Machine.Pressure.CriticalMinAdj }
func criticalUpgrade(c *Config) *bool            { return &c.Machine.Pressure.CriticalUpgrade }
func upgradePressure(c *Config) *int             { return &c.Machine.Pressure.UpgradePressure }
func downgradePressure(c *Config) *int           { return &c.Machine.Pressure.DowngradePressure }
