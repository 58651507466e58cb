// Package engine is the life of a pressure episode as a pure function: Step
// takes a policy, the state of one domain and one input, and returns what the
// loop must now do.
//
// The loop owns the clock, the files and the kills; it hands in what happened
// and carries out the actions. The engine reads nothing, sleeps nowhere and
// allocates nothing, so the same inputs give the same actions: that is what a
// replay checks.
//
// One victim at a time: from the Kill action until the Exited input, or until
// the kill's deadline, no other Kill is ever returned.
package engine
