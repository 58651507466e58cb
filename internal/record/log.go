package record

import (
	"fmt"

	"github.com/lmkd/lmkd/internal/engine"
	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/pressure"
	"github.com/lmkd/lmkd/pkg/victim"
)

// LogOptions say what a Log tells.
type LogOptions struct {
	Domains []Domain
	DryRun  bool // say that nothing was killed
	Debug   bool // explain every verdict that acts, and every ranking
}

// Log is the Sink that tells a person what happens, a line at a time: a kill in
// the shape of Android's, its outcome step by step, and whatever keeps a kill
// from being made. What lasts is told when it begins.
type Log struct {
	opt  LogOptions
	say  func(line string)
	told map[uint16]*told
}

// told is what a Log remembers of a domain.
type told struct {
	of      *Domain
	name    string // prefix of its lines, empty for the whole machine
	policy  *engine.Policy
	verdict pressure.Verdict // the last one
	victim  victim.Process   // of the kill under way
	home    string           // where it belongs by its cgroup
	company string           // who dies with it
	reason  string
	ended   uint64 // the last kill that was told to have ended
	reaped  bool   // process_mrelease answered in the kill under way
	blind   bool
	nobody  bool
	held    bool
	ceiling bool
	waiting engine.Note    // for memory that comes back by itself, NoNote for not
	soft    bool           // the kill under way began with SIGTERM
	asked   bool           // and SIGTERM has been told
	waited  bool           // a kill waits for softer acts
	notify  pressure.Level // the highest level that was told of and holds
}

// NewLog makes a Log that hands its lines, without newlines, to say.
func NewLog(opt LogOptions, say func(line string)) *Log {
	l := &Log{opt: opt, say: say, told: map[uint16]*told{}}
	for i := range opt.Domains {
		l.opened(&opt.Domains[i])
	}
	return l
}

// opened begins to tell of a domain.
func (l *Log) opened(d *Domain) *told {
	t := &told{of: d, policy: &d.Policy}
	if d.ID != 0 {
		t.name = victim.Quote([]byte(d.Name)) + ": " // a cgroup's name is whatever its maker likes
	}
	l.told[d.ID] = t
	return t
}

// Record tells what an entry is worth telling of.
func (l *Log) Record(e *Entry) {
	t, ok := l.told[e.Domain]
	if e.Of != nil && (!ok || t.of != e.Of) {
		t, ok = l.opened(e.Of), true
	}
	if !ok {
		return
	}
	if e.Closed {
		delete(l.told, e.Domain)
		return
	}
	if e.Lost > 0 {
		l.line(t, fmt.Sprintf("%d steps were overwritten before they could be told", e.Lost))
	}
	if e.Out.Verdict != nil {
		l.judged(t, e)
	}
	switch e.In.Kind {
	case engine.Listed:
		l.listed(t, e)
	case engine.Signalled:
		l.signalled(t, e)
	case engine.Reaped:
		l.reaped(t, e)
	case engine.Relieved:
		l.relieved(t, e)
	}
	l.relief(t, e)
	l.noted(t, e)
}

func (l *Log) line(t *told, text string) {
	l.say(t.name + text)
}

// judged remembers the verdict, and ends what lasted until it.
func (l *Log) judged(t *told, e *Entry) {
	t.verdict = *e.Out.Verdict
	t.reason = t.verdict.Reason.String() + " (" + t.verdict.Because(&t.policy.Pressure) + ")"
	if t.blind {
		t.blind = false
		l.line(t, "Memory can be read again")
	}
	if !t.verdict.Act {
		t.nobody, t.held, t.ceiling, t.waited, t.waiting = false, false, false, false, engine.NoNote
		return
	}
	if l.opt.Debug {
		for _, text := range t.verdict.Explain(&t.policy.Pressure) {
			l.line(t, "  "+text)
		}
	}
}

// listed remembers the victim.
func (l *Log) listed(t *told, e *Entry) {
	if e.Out.Ranking != nil && l.opt.Debug && e.Cut&CutCandidates == 0 {
		for _, text := range e.Out.Ranking.Explain(&t.policy.Victim, e.In.Candidates) {
			l.line(t, "  "+text)
		}
	}
	t.victim = victim.Process{}
	if i, ok := chosen(e); ok {
		t.victim = e.In.Candidates[i]
		home := victim.ParseCgroup(t.victim.Cgroup)
		t.home = home.String()
		t.company = company(&t.victim)
		t.victim.Detach()
		t.reaped, t.nobody, t.held, t.ceiling, t.waiting = false, false, false, false, engine.NoNote
		t.soft, t.asked = e.Out.Actions[len(e.Out.Actions)-1].Soft, false
	}
}

// chosen gives the candidate that a step asks to kill.
func chosen(e *Entry) (int, bool) {
	for i := range e.Out.Actions {
		a := &e.Out.Actions[i]
		if a.Do == engine.Kill && a.Index >= 0 && a.Index < len(e.In.Candidates) {
			return a.Index, true
		}
	}
	return 0, false
}

// signalled tells of a kill as soon as the signal is sent.
func (l *Log) signalled(t *told, e *Entry) {
	if e.In.Errno != 0 {
		return // told by its note
	}
	p := &t.victim
	if p.PID == 0 {
		l.line(t, "A victim was signalled; who it is was overwritten before it could be told")
		return
	}
	verb := "Kill "
	switch {
	case t.asked:
		l.line(t, "Kill "+named(p)+": it has not gone of SIGTERM")
		return
	case t.soft:
		verb, t.asked = "Ask with SIGTERM ", true
	}
	if l.opt.DryRun {
		verb = "Dry run, would kill "
	}
	l.line(t, fmt.Sprintf("%s%s, uid %d, oom_score_adj %d%s to free %dkB rss, %dkB swap; reason: %s",
		verb, named(p), p.UID, p.Adj, t.unit(), p.RSS>>10, p.Swap>>10, t.reason))
}

// unit tells where the victim belongs, and who dies with it.
func (t *told) unit() (text string) {
	if t.home != "" {
		text = ", " + t.home
	}
	return text + t.company
}

func besides(n int32) string {
	if n == 1 {
		return "another"
	}
	return fmt.Sprintf("%d others", n)
}

// company says who dies with a victim, how many were counted, and who of them
// lives on.
func company(p *victim.Process) (text string) {
	switch p.Dies() {
	case victim.AsProcess:
		return ""
	case victim.AsTree:
		text = ", with its descendants"
	case victim.AsSession:
		text = ", with all of its session"
	case victim.AsGroup:
		text = ", with all of its process group"
	case victim.AsBrood:
		text = fmt.Sprintf(", with %d like it", p.Children)
	case victim.AsCgroup:
		text = ", with all in its cgroup"
	case victim.AsOOMGroup:
		text = ", with all in " + victim.Quote(p.DyingCgroup()) + " for its memory.oom.group"
	}
	switch {
	case p.Dies() == victim.AsBrood:
	case p.Brood > 0:
		text += fmt.Sprintf(", of which %d young", p.Children)
	case p.Members > 0:
		text += fmt.Sprintf(", %s, %dkB in all", besides(p.Members), (p.RssAnon+p.RssShmem+p.Swap+p.Unit)>>10)
	}
	return text + p.Sparing()
}

// reaped tells of a reclaim that answers when all else has been told.
func (l *Log) reaped(t *told, e *Entry) {
	if t.ended > 0 && !t.reaped && t.victim.PID == 0 {
		l.line(t, "After its end: "+answered("process_mrelease", e.In.Errno, e.In.Took))
	}
	t.reaped = true
}

// noted tells what the engine found worth telling.
func (l *Log) noted(t *told, e *Entry) {
	switch e.Out.Note {
	case engine.KillFailed, engine.KillDone, engine.KillTimeout, engine.KillStuck:
		l.ended(t, e)
	case engine.Nobody:
		if !t.nobody {
			l.line(t, "Nobody to kill for "+t.reason+": "+refusals(&e.In.Listing))
		}
		t.nobody = true
	case engine.KernelKill:
		since := "boot"
		if t.policy.Pressure.Cgroup {
			since = "the cgroup was made"
		}
		l.line(t, fmt.Sprintf("The kernel's own OOM killer struck: %d kills since %s", e.In.Sample.Counters.OOMKill, since))
	case engine.Held:
		if !t.held {
			l.line(t, "No kill for "+t.reason+": files on tmpfs or shared memory that nobody maps hold most of memory, and no process would give enough back; delete files there (df -t tmpfs)")
		}
		t.held = true
	case engine.Ceiling:
		if !t.ceiling {
			l.line(t, fmt.Sprintf("CEILING: %d kills within %s and memory is still short (%s): the next one waits, and the kernel's own OOM killer is the last resort",
				t.policy.MaxKills, t.policy.KillWindow, t.reason))
		}
		t.ceiling = true
	case engine.Freeing, engine.Cooling:
		if t.waiting != e.Out.Note {
			l.line(t, waits(e)+t.reason)
		}
		t.waiting = e.Out.Note
	case engine.Lowered:
		l.line(t, fmt.Sprintf("Lowered: nobody could die for it, so processes at oom_score_adj %d and above may now", e.Out.Verdict.MinAdj))
	case engine.Relieving:
		if !t.waited {
			l.line(t, "A kill for "+t.reason+" waits for softer acts")
		}
		t.waited = true
	case engine.Blind:
		if !t.blind {
			l.line(t, "Blind: memory can not be read: "+sys.ErrnoName(sys.Errno(e.In.Errno)))
		}
		t.blind = true
	}
}

func (l *Log) ended(t *told, e *Entry) {
	o := e.Out.Outcome
	switch {
	case o == nil:
		l.line(t, "A kill ended ("+e.Out.Note.String()+"); its outcome was overwritten before it could be told")
	case l.opt.DryRun && e.Out.Note == engine.KillTimeout:
		l.line(t, "Dry run: "+named(&o.Victim)+" lives on, and is left out from now on")
	case l.opt.DryRun && e.Out.Note == engine.KillDone:
		l.line(t, "Dry run: "+named(&o.Victim)+" ended by itself")
	default:
		l.line(t, ending(e.Out.Note, o))
		t.ended, t.reaped = o.ID, o.Reaped
	}
	t.victim = victim.Process{}
}
