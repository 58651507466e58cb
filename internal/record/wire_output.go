package record

import (
	"errors"
	"time"

	"github.com/lmkd/lmkd/internal/engine"
	"github.com/lmkd/lmkd/pkg/pressure"
)

// wireOutput is what a Step gave: the part that a replay compares.
type wireOutput struct {
	Actions []wireAction `json:"actions,omitempty"`
	Verdict *wireVerdict `json:"verdict,omitempty"`
	Ranking *wireRanking `json:"ranking,omitempty"`
	Note    string       `json:"note,omitempty"`
	Level   string       `json:"level,omitempty"`
	Changed bool         `json:"level_changed,omitempty"`
	Outcome *wireOutcome `json:"outcome,omitempty"`
}

type wireAction struct {
	Do         string        `json:"do"`
	Watermarks bool          `json:"watermarks,omitempty"`
	Query      *wireQuery    `json:"query,omitempty"`
	Surveyed   bool          `json:"surveyed,omitempty"`
	Soft       bool          `json:"soft,omitempty"`
	Tree       bool          `json:"tree,omitempty"`
	Index      int           `json:"index,omitempty"`
	Until      time.Duration `json:"until,omitempty"`
	Acts       uint8         `json:"acts,omitempty"`
	Again      time.Duration `json:"again,omitempty"`
	Room       uint64        `json:"room,omitempty"`
}

type wireVerdict struct {
	Act    bool      `json:"act,omitempty"`
	Reason string    `json:"reason"`
	MinAdj int16     `json:"min_adj,omitempty"`
	Event  string    `json:"event,omitempty"`
	Facts  wireFacts `json:"facts"`
}

type wireOutcome struct {
	ID              uint64        `json:"id"`
	Victim          wireProcess   `json:"victim"`
	Verdict         wireVerdict   `json:"verdict"`
	Gain            uint64        `json:"gain,omitempty"`
	WokenAt         time.Duration `json:"woken_at,omitempty"`
	VerdictAt       time.Duration `json:"verdict_at,omitempty"`
	ChosenAt        time.Duration `json:"chosen_at,omitempty"`
	SignalledAt     time.Duration `json:"signalled_at,omitempty"`
	ReapedAt        time.Duration `json:"reaped_at,omitempty"`
	ExitedAt        time.Duration `json:"exited_at,omitempty"`
	SignalErrno     int32         `json:"signal_errno,omitempty"`
	ReapErrno       int32         `json:"reap_errno,omitempty"`
	SignalTook      time.Duration `json:"signal_took,omitempty"`
	ReapTook        time.Duration `json:"reap_took,omitempty"`
	Reaped          bool          `json:"reaped,omitempty"`
	AvailableBefore uint64        `json:"available_before,omitempty"`
	AvailableAfter  uint64        `json:"available_after,omitempty"`
	TimedOut        bool          `json:"timed_out,omitempty"`
	Soft            bool          `json:"soft,omitempty"`
	Adopted         bool          `json:"adopted,omitempty"`
	Members         int           `json:"members,omitempty"`
	Spared          int           `json:"spared,omitempty"`
	Holds           []string      `json:"holds,omitempty"`
}

func toWireOutput(o *engine.Output) wireOutput {
	w := wireOutput{Note: o.Note.String(), Level: levelName(o.Level), Changed: o.LevelChanged}
	for i := range o.Actions {
		w.Actions = append(w.Actions, toWireAction(&o.Actions[i]))
	}
	if o.Verdict != nil {
		v := toWireVerdict(o.Verdict)
		w.Verdict = &v
	}
	if o.Ranking != nil {
		w.Ranking = toWireRanking(o.Ranking)
	}
	if o.Outcome != nil {
		w.Outcome = toWireOutcome(o.Outcome)
	}
	return w
}

func toWireAction(a *engine.Action) wireAction {
	w := wireAction{
		Do: a.Do.String(), Watermarks: a.Watermarks, Surveyed: a.Surveyed, Soft: a.Soft, Tree: a.Tree, Index: a.Index, Until: a.Until, Acts: a.Acts, Again: a.Again, Room: a.Room,
	}
	if a.Do == engine.List {
		w.Query = toWireQuery(&a.Query)
	}
	return w
}

func toWireVerdict(v *pressure.Verdict) wireVerdict {
	return wireVerdict{v.Act, v.Reason.String(), v.MinAdj, levelName(v.Event), wireFacts(v.Facts)}
}

func toWireOutcome(o *engine.Outcome) *wireOutcome {
	return &wireOutcome{
		o.ID, toWireProcess(&o.Victim), toWireVerdict(&o.Verdict), o.Gain,
		o.WokenAt, o.VerdictAt, o.ChosenAt, o.SignalledAt, o.ReapedAt, o.ExitedAt,
		o.SignalErrno, o.ReapErrno, o.SignalTook, o.ReapTook, o.Reaped,
		o.AvailableBefore, o.AvailableAfter, o.TimedOut, o.Soft, o.Adopted, o.Members, o.Spared, o.Holds.Words(),
	}
}

func (w *wireOutput) output(o *engine.Output) error {
	err := errors.Join(parseName(notes, w.Note, &o.Note), parseLevel(w.Level, &o.Level))
	o.LevelChanged = w.Changed
	for i := range w.Actions {
		a, bad := w.Actions[i].action()
		o.Actions, err = append(o.Actions, a), errors.Join(err, bad)
	}
	if w.Verdict != nil {
		v, bad := w.Verdict.verdict()
		o.Verdict, err = &v, errors.Join(err, bad)
	}
	if w.Ranking != nil {
		r, bad := w.Ranking.ranking()
		o.Ranking, err = r, errors.Join(err, bad)
	}
	if w.Outcome != nil {
		out, bad := w.Outcome.outcome()
		o.Outcome, err = out, errors.Join(err, bad)
	}
	return err
}

func (w *wireAction) action() (engine.Action, error) {
	a := engine.Action{Watermarks: w.Watermarks, Surveyed: w.Surveyed, Soft: w.Soft, Tree: w.Tree, Index: w.Index, Until: w.Until, Acts: w.Acts, Again: w.Again, Room: w.Room}
	err := parseName(deeds, w.Do, &a.Do)
	if w.Query != nil {
		err = errors.Join(err, w.Query.query(&a.Query))
	}
	return a, err
}

func (w *wireVerdict) verdict() (pressure.Verdict, error) {
	v := pressure.Verdict{Act: w.Act, MinAdj: w.MinAdj, Facts: pressure.Facts(w.Facts)}
	return v, errors.Join(parseName(reasons, w.Reason, &v.Reason), parseLevel(w.Event, &v.Event))
}

func (w *wireOutcome) outcome() (*engine.Outcome, error) {
	v, err := w.Verdict.verdict()
	h, bad := holds(w.Holds)
	err = errors.Join(err, bad)
	o := &engine.Outcome{
		ID: w.ID, Verdict: v, Gain: w.Gain,
		WokenAt: w.WokenAt, VerdictAt: w.VerdictAt, ChosenAt: w.ChosenAt,
		SignalledAt: w.SignalledAt, ReapedAt: w.ReapedAt, ExitedAt: w.ExitedAt,
		SignalErrno: w.SignalErrno, ReapErrno: w.ReapErrno, SignalTook: w.SignalTook, ReapTook: w.ReapTook,
		Reaped: w.Reaped, AvailableBefore: w.AvailableBefore, AvailableAfter: w.AvailableAfter, TimedOut: w.TimedOut, Soft: w.Soft, Adopted: w.Adopted, Members: w.Members, Spared: w.Spared, Holds: h,
	}
	return o, errors.Join(err, w.Victim.process(&o.Victim))
}
