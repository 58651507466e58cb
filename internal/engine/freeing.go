package engine

import (
	"time"

	"github.com/lmkd/lmkd/pkg/victim"
)

// What is dying already gives its memory back without anybody else's death: a
// victim that was given up, or one that somebody else has killed.

// departures are the dying that listings have shown, each with the time of the
// first. The zero value has seen nobody.
type departures [64]departure

type departure struct {
	id          victim.Identity
	first, last time.Duration // CLOCK_MONOTONIC of the listings; 0 is an empty place
	expedited   bool
}

// of gives the entry of one that the listing of now shows. A place whose process
// this listing has not shown yet may be taken; nil when there is none.
func (d *departures) of(id victim.Identity, now time.Duration) *departure {
	var free *departure
	for i := range d {
		e := &d[i]
		if e.first != 0 && e.id == id {
			e.last = now
			return e
		}
		if e.last != now && (free == nil || e.last < free.last) {
			free = e
		}
	}
	if free != nil {
		*free = departure{id: id, first: now, last: now}
	}
	return free
}

// writeOff makes one that is stuck count for nothing: who has been waited for in
// vain is not waited for again.
func (d *departures) writeOff(id victim.Identity, now time.Duration) {
	if e := d.of(id, now); e != nil {
		e.first = -1
	}
}

// dyingPatience is how long a dying process is counted on where KillTimeout is
// for ever.
const dyingPatience = 2 * time.Second

// freeing tells whether so much is about to come back by itself that no kill is
// called for: it lifts what is available to the floor, or, where that is not
// what the verdict rests on, it is at least half of what a kill would give. Each
// process is counted on for KillTimeout since it was first seen dying. What has
// let go of its address space shows nothing, though its pages may still be on
// their way: nobody can count them.
func (st *State) freeing(p *Policy, in *Input, gain uint64) bool {
	if !p.CountDying {
		return false
	}
	var soon uint64
	slow := -1 // the largest that nobody has helped
	for i := range in.Candidates {
		c := &in.Candidates[i]
		if !c.Is(victim.Dying) || c.Flag&(victim.Vanished|victim.Zombie) != 0 || c.RssAnon == 0 {
			continue
		}
		e := st.departing.of(c.Identity(), in.At)
		if e == nil || e.first < 0 || in.At-e.first >= p.dyingPatience() {
			continue
		}
		soon += c.RssAnon
		if !e.expedited && (slow < 0 || c.RssAnon > in.Candidates[slow].RssAnon) {
			slow = i
		}
	}
	f := &st.verdict.Facts
	enough := soon > 0 && soon >= max(gain, p.Victim.MinGain)/2
	if f.Available < f.Floor {
		enough = f.Available+soon >= f.Floor
	}
	if enough && slow >= 0 {
		st.departing.of(in.Candidates[slow].Identity(), in.At).expedited = true
		st.do(Action{Do: Expedite, Index: slow})
	}
	return enough
}

func (p *Policy) dyingPatience() time.Duration {
	if p.KillTimeout == 0 {
		return dyingPatience
	}
	return p.KillTimeout
}
