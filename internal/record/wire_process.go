package record

import (
	"fmt"

	"github.com/lmkd/lmkd/pkg/victim"
)

type wireProcess struct {
	PID         int32         `json:"pid"`
	Adj         int16         `json:"adj"`
	Flag        uint32        `json:"flag,omitempty"`
	RSS         uint64        `json:"rss,omitempty"`
	Shared      uint64        `json:"shared,omitempty"`
	Idle        uint64        `json:"idle,omitempty"`
	SwapHint    uint64        `json:"swap_hint,omitempty"`
	PPID        int32         `json:"ppid,omitempty"`
	UID         uint32        `json:"uid,omitempty"`
	Threads     int32         `json:"threads,omitempty"`
	StartTime   uint64        `json:"start_time,omitempty"`
	RssAnon     uint64        `json:"rss_anon,omitempty"`
	RssFile     uint64        `json:"rss_file,omitempty"`
	RssShmem    uint64        `json:"rss_shmem,omitempty"`
	Joint       uint64        `json:"joint,omitempty"`
	Swap        uint64        `json:"swap,omitempty"`
	Locked      uint64        `json:"locked,omitempty"`
	Huge        uint64        `json:"huge,omitempty"`
	PageTable   uint64        `json:"page_table,omitempty"`
	Growth      uint64        `json:"growth,omitempty"`
	MajorFaults uint64        `json:"major_faults,omitempty"`
	Brood       uint64        `json:"brood,omitempty"`
	Children    int32         `json:"children,omitempty"`
	Turn        uint64        `json:"turn,omitempty"`
	Group       int32         `json:"group,omitempty"`
	Session     int32         `json:"session,omitempty"`
	Unit        uint64        `json:"unit,omitempty"`
	Members     int32         `json:"members,omitempty"`
	OOMGroup    int32         `json:"oom_group,omitempty"`
	Rule        int16         `json:"rule,omitempty"`
	Adjust      int16         `json:"adjust,omitempty"`
	Effect      victim.Effect `json:"effect,omitempty"`
	Death       victim.Death  `json:"death,omitempty"`
	Comm        text          `json:"comm,omitempty"`
	Cgroup      text          `json:"cgroup,omitempty"`
	Cmdline     text          `json:"cmdline,omitempty"`
	Spared      text          `json:"spared,omitempty"`
}

func toWireProcess(p *victim.Process) wireProcess {
	return wireProcess{
		p.PID, p.Adj, uint32(p.Flag), p.RSS, p.Shared, p.Idle, p.SwapHint, p.PPID, p.UID, p.Threads, p.StartTime,
		p.RssAnon, p.RssFile, p.RssShmem, p.Joint, p.Swap, p.Locked, p.Huge, p.PageTable, p.Growth, p.MajorFaults,
		p.Brood, p.Children, p.Turn, p.Group, p.Session, p.Unit, p.Members, p.OOMGroup, p.Rule, p.Adjust, p.Effect, p.Death,
		text(p.Comm[:p.CommLen]), text(p.Cgroup), text(p.Cmdline), text(p.Spared),
	}
}

// process fills p; a name that is longer than the kernel's is an error.
func (w *wireProcess) process(p *victim.Process) error {
	var comm [victim.CommSize]byte
	n := copy(comm[:], w.Comm)
	if n < len(w.Comm) {
		return fmt.Errorf("comm of pid %d has %d bytes, %d is the most", w.PID, len(w.Comm), victim.CommSize)
	}
	*p = victim.Process{
		PID: w.PID, Adj: w.Adj, Flag: victim.Flag(w.Flag), RSS: w.RSS, Shared: w.Shared, Idle: w.Idle, SwapHint: w.SwapHint,
		PPID: w.PPID, UID: w.UID, Threads: w.Threads, StartTime: w.StartTime,
		RssAnon: w.RssAnon, RssFile: w.RssFile, RssShmem: w.RssShmem, Joint: w.Joint, Swap: w.Swap, Locked: w.Locked,
		Huge: w.Huge, PageTable: w.PageTable, Growth: w.Growth, MajorFaults: w.MajorFaults,
		Brood: w.Brood, Children: w.Children, Turn: w.Turn, Rule: w.Rule, Adjust: w.Adjust, Effect: w.Effect, Death: w.Death,
		Group: w.Group, Session: w.Session, Unit: w.Unit, Members: w.Members, OOMGroup: w.OOMGroup, Spared: w.Spared,
		CommLen: uint8(n), Comm: comm, Cgroup: w.Cgroup, Cmdline: w.Cmdline,
	}
	if !p.Known() {
		return fmt.Errorf("pid %d has marks that are not known", w.PID)
	}
	return nil
}

type wireIdentity struct {
	PID       int32  `json:"pid"`
	StartTime uint64 `json:"start_time,omitempty"`
}

type wireQuery struct {
	MinAdj    int16          `json:"min_adj"`
	CountFile bool           `json:"count_file,omitempty"`
	SwapSaved uint16         `json:"swap_saved,omitempty"`
	Bereaved  int32          `json:"bereaved,omitempty"`
	Shun      []wireIdentity `json:"shun,omitempty"`
}

// toWireQuery leaves out the unused end of the shunned.
func toWireQuery(q *victim.Query) *wireQuery {
	w := &wireQuery{MinAdj: q.MinAdj, CountFile: q.CountFile, SwapSaved: q.SwapSaved, Bereaved: q.Bereaved}
	used := len(q.Shun)
	for used > 0 && q.Shun[used-1] == (victim.Identity{}) {
		used--
	}
	for _, id := range q.Shun[:used] {
		w.Shun = append(w.Shun, wireIdentity(id))
	}
	return w
}

func (w *wireQuery) query(q *victim.Query) error {
	*q = victim.Query{MinAdj: w.MinAdj, CountFile: w.CountFile, SwapSaved: w.SwapSaved, Bereaved: w.Bereaved}
	if len(w.Shun) > len(q.Shun) {
		return fmt.Errorf("%d processes are shunned, %d is the most", len(w.Shun), len(q.Shun))
	}
	for i := range w.Shun {
		q.Shun[i] = victim.Identity(w.Shun[i])
	}
	return nil
}

type wirePlace struct {
	Index    int               `json:"index"`
	Excluded victim.Exclusion  `json:"excluded,omitempty"`
	Gain     uint64            `json:"gain,omitempty"`
	By       victim.Comparison `json:"by,omitempty"`
}

type wireRanking struct {
	Places   []wirePlace `json:"places"`
	Eligible int         `json:"eligible"`
}

func toWireRanking(r *victim.Ranking) *wireRanking {
	w := &wireRanking{Places: make([]wirePlace, len(r.Places)), Eligible: r.Eligible}
	for i := range r.Places {
		w.Places[i] = wirePlace(r.Places[i])
	}
	return w
}

// ranking checks that every reason is one that this version can explain.
func (w *wireRanking) ranking() (*victim.Ranking, error) {
	r := &victim.Ranking{Places: make([]victim.Place, len(w.Places)), Eligible: w.Eligible}
	for i := range w.Places {
		r.Places[i] = victim.Place(w.Places[i])
		if !r.Places[i].Known() {
			return nil, fmt.Errorf("place %d of the ranking has an unknown reason", i)
		}
	}
	return r, nil
}
