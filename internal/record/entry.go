package record

import "github.com/lmkd/lmkd/internal/engine"

// Cut says what of an entry could not be kept.
type Cut uint8

// The cuts. Without the candidates an entry can not be replayed.
const (
	CutTable      Cut = 1 << iota // candidates, listing and ranking were overwritten before they were read
	CutCandidates                 // there were more candidates than a table holds
	CutTexts                      // cgroup paths or command lines were shortened
	CutOutcome                    // the outcome was overwritten before it was read
	CutActions                    // there were more actions than an entry holds
)

// Entry is one step of the engine: what went in and what came out. Everything
// that it points to is lent to a Sink for the call.
type Entry struct {
	Seq    uint64 // counts steps since the start, from 1
	Lost   uint64 // entries that were overwritten between the one before and this one
	Domain uint16
	// Of is the domain itself, when it came after the start; nil for those of the
	// header. It may be kept: nobody changes it. Another one under the same number
	// is another domain.
	Of *Domain
	// Closed tells that the domain is gone, and nothing else.
	Closed bool
	Cut    Cut
	In     engine.Input
	Out    engine.Output
}
