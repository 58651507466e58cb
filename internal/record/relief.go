package record

import (
	"fmt"
	"strings"

	"github.com/lmkd/lmkd/internal/engine"
	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/pressure"
	"github.com/lmkd/lmkd/pkg/victim"
)

// relief tells which softer acts begin, and of those that only tell, that the
// level has fallen again.
func (l *Log) relief(t *told, e *Entry) {
	for i := range e.Out.Actions {
		if a := &e.Out.Actions[i]; a.Do == engine.Relieve {
			l.begins(t, e, a.Acts)
		}
	}
	if t.notify > pressure.LevelNone && e.Out.Level < t.notify {
		l.line(t, "Pressure is "+e.Out.Level.String()+" again")
		t.notify = pressure.LevelNone
	}
}

func (l *Log) begins(t *told, e *Entry, acts uint8) {
	for i := range t.policy.Relief {
		r := &t.policy.Relief[i]
		switch {
		case acts&(1<<i) == 0:
		case r.Act == engine.Notify:
			l.line(t, "Pressure is "+t.verdict.Grade(&t.policy.Pressure))
			t.notify = max(t.notify, r.At)
		default:
			l.line(t, "Relief: "+describe(r)+", for "+t.verdict.Grade(&t.policy.Pressure))
		}
	}
}

// describe says what an act does, without the time that it may take.
func describe(r *engine.Relief) string {
	where := quoted(r.Cgroups)
	if r.Act == engine.Reclaim {
		return "reclaims up to " + size(r.Amount) + " from " + where
	}
	return "freezes " + where
}

// quoted lists patterns, which are whatever their writer likes.
func quoted(patterns []string) string {
	var out []string
	for _, p := range patterns {
		out = append(out, victim.Quote([]byte(p)))
	}
	return strings.Join(out, ", ")
}

// relieved tells how an act ended.
func (l *Log) relieved(t *told, e *Entry) {
	if int(e.In.Act) < len(t.policy.Relief) {
		l.line(t, Relieved(&t.policy.Relief[e.In.Act], &e.In))
	}
}

// Relieved says in one sentence how an act went.
func Relieved(r *engine.Relief, in *engine.Input) string {
	text := fmt.Sprintf("Relief over after %s: ", short(in.Took))
	switch {
	case in.Members == 0 && in.Errno == 0:
		text += "no cgroup matches " + quoted(r.Cgroups)
	case r.Act == engine.Reclaim:
		text += fmt.Sprintf("%s back from %d cgroups", size(in.Bytes), in.Members)
	default:
		text += fmt.Sprintf("%d cgroups were frozen and run again", in.Members)
	}
	if in.Errno != 0 {
		text += ", " + sys.ErrnoName(sys.Errno(in.Errno))
	}
	return text
}
