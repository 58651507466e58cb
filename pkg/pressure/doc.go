// Package pressure judges memory: a stream of samples goes in, a verdict comes
// out that says whether to act, for which reason, and how important a victim
// may be.
//
// The judgement is Android lmkd's: pressure (reclaim, refaults, PSI events) and
// shortage (watermarks, free swap) together, in a fixed order of reasons that
// keep Android's numbers; reasons from LowAvailable on are our own. The package
// is pure: it reads no file and no clock, and the same samples give the same
// verdicts.
package pressure
