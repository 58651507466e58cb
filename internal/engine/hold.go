package engine

import "strings"

// Hold is what keeps a dying victim, a set of bits: pkg/kill's, by the same
// names and in the same order.
type Hold uint16

// The holds.
const (
	Uninterruptible Hold = 1 << iota
	Dumping
	Traced
	NamespaceInit
	Shared
	VforkParent
	ZombieLeader
	Stopped
	FrozenV1
	FrozenV2
)

// Lasting are those that may last for ever, whatever is done to the victim.
const Lasting = Uninterruptible | Dumping | Traced | NamespaceInit | FrozenV1

var holdText = [...]string{"uninterruptible", "dumping core", "traced", "init of a namespace", "memory shared",
	"vfork parent", "leader dead", "stopped", "frozen (v1)", "frozen (v2)"}

func (h Hold) String() string { return strings.Join(h.Words(), ", ") }

// Words gives the name of each bit.
func (h Hold) Words() (words []string) {
	for i, text := range holdText {
		if h>>i&1 == 1 {
			words = append(words, text)
		}
	}
	return words
}

// ParseHold gives the bit of a word, 0 for one that is none.
func ParseHold(word string) Hold {
	for i, text := range holdText {
		if text == word {
			return 1 << i
		}
	}
	return 0
}
