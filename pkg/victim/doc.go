// Package victim ranks processes: who should die first, and the reason for
// every place.
//
// It is pure: a process table and a policy go in, a ranking comes out. It reads
// no file and no clock, kills nothing, and orders the same table the same way
// every time.
package victim
