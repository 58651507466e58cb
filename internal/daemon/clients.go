package daemon

import (
	"github.com/lmkd/lmkd/pkg/pressure"
	"github.com/lmkd/lmkd/pkg/victim"
)

// Clients are what clients said from outside: internal/control. Both are loads of
// what nobody changes any more, without a lock.
type Clients interface {
	Roll() *victim.Roll        // what they registered, nil when nobody ever did
	Targets() pressure.Targets // of the last LMK_TARGET
}

// nobody is for a daemon without a socket for clients.
type nobody struct{}

func (nobody) Roll() *victim.Roll        { return nil }
func (nobody) Targets() pressure.Targets { return pressure.Targets{} }

// clients gives whoever there is.
func (o *Options) clients() Clients {
	if o.Clients == nil {
		return nobody{}
	}
	return o.Clients
}
