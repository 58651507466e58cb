package engine_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/lmkd/lmkd/internal/engine"
	"github.com/lmkd/lmkd/internal/transcript"
	"github.com/lmkd/lmkd/pkg/pressure"
	"github.com/lmkd/lmkd/pkg/victim"
)

// TestTranscripts runs testdata/*.txt. A line is
//
//	# text                        a comment
//	policy PROFILE K=V ...        a new domain: linux, android or embedded, then fields of Policy
//	rule K=V ...                  the first rule of the policy: fields of Rule
//	relief LEVEL ACT K=V ...      one more act of the policy: fields of Relief
//	set K=V ...                   changes the sample, which is kept from line to line
//	targets MIB:ADJ               the target of the samples to come
//	process NAME PID K=V ...      a candidate of the next Listed: fields of Process
//	processes                     forgets the candidates
//	+DURATION INPUT [words]       lets time pass and hands in one input:
//	    started, elapsed, listed, adopted, exited
//	    woken SOURCES [LEVEL]     psi, kswapd, direct, oom, vmpressure, joined by +
//	    sampled [K=V ...]         changes the sample and hands it in; kswapd and direct are
//	                              words here, events says that nothing reclaims
//	    blind, signalled, reaped  with [errno=N] [took=DURATION]
//	    examined [HOLD...]        words of Hold, with _ for a blank, and ended
//	    relieved Act=I            the end of the act in place I, from 0
//
// What the engine asks for follows, indented, and is compared. Times are shown
// from the domain's start.
func TestTranscripts(t *testing.T) {
	transcript.Run(t, func() transcript.Line { return new(domain).line })
}

// start is when a transcript's clock begins: not at 0, which means never.
const start = time.Hour

type domain struct {
	policy engine.Policy
	state  *engine.State
	sample pressure.Sample
	table  []victim.Process
	now    time.Duration

	targets pressure.Targets
}

func (d *domain) line(out *transcript.Out, words []string) error {
	switch words[0] {
	case "policy":
		profiles := map[string]engine.Policy{"linux": engine.Linux(), "android": engine.Android(), "embedded": engine.Embedded()}
		*d = domain{policy: profiles[words[1]], state: engine.NewState(8), now: start}
		d.sample.Has = pressure.HasAvailable | pressure.HasWatermarks | pressure.HasStall
		return transcript.AssignAll(words[2:], &d.policy, &d.policy.Pressure)
	case "set":
		return d.set(words[1:])
	case "relief":
		return d.relief(words[1:])
	case "rule":
		var r victim.Rule
		if err := transcript.AssignAll(words[1:], &r); err != nil {
			return err
		}
		d.policy.Victim.Rules = append([]victim.Rule{r}, d.policy.Victim.Rules...)
		return nil
	case "targets":
		t := &d.targets[0]
		_, err := fmt.Sscanf(words[1], "%d:%d", &t.Bytes, &t.MinAdj)
		t.Bytes <<= 20
		return err
	case "processes":
		d.table = nil
		return nil
	case "process":
		p := victim.Process{Flag: victim.Detailed, UID: 1000}
		p.SetName([]byte(words[1]))
		if err := transcript.AssignAll(append(words[3:], "PID="+words[2]), &p); err != nil {
			return err
		}
		d.table = append(d.table, p)
		return nil
	}
	return d.input(out, words)
}

func (d *domain) relief(words []string) error {
	r := engine.Relief{At: levels[words[0]], Act: map[string]engine.Act{"reclaim": engine.Reclaim, "freeze": engine.Freeze}[words[1]]}
	d.policy.Relief = append(d.policy.Relief, r)
	return transcript.AssignAll(words[2:], &d.policy.Relief[len(d.policy.Relief)-1])
}

var levels = map[string]pressure.Level{"low": pressure.LevelLow, "medium": pressure.LevelMedium, "critical": pressure.LevelCritical}

func (d *domain) set(words []string) error {
	return transcript.AssignAll(words, &d.sample.Memory, &d.sample.Counters, &d.sample.Watermarks, &d.sample.Stall)
}

// input makes an Input of the words and shows what Step gives.
func (d *domain) input(out *transcript.Out, words []string) error {
	pass, err := time.ParseDuration(words[0])
	if err != nil {
		return err
	}
	d.now += pass
	in := engine.Input{At: d.now}
	rest := words[2:]
	switch words[1] {
	case "sampled":
		err = d.sampled(&in, rest)
	case "blind":
		in.Kind = engine.Sampled
		err = transcript.AssignAll(rest, &result{&in})
	case "woken":
		err = woken(&in, rest)
	case "listed":
		in.Kind, in.Candidates = engine.Listed, d.table
	case "adopted":
		in.Kind, in.Candidates = engine.Adopted, d.table
	case "signalled", "reaped", "relieved":
		in.Kind = map[string]engine.Kind{"signalled": engine.Signalled, "reaped": engine.Reaped, "relieved": engine.Relieved}[words[1]]
		err = transcript.AssignAll(rest, &result{&in})
	case "examined":
		in.Kind = engine.Examined
		for _, w := range rest {
			in.Ended = in.Ended || w == "ended"
			in.Holds |= engine.ParseHold(strings.ReplaceAll(w, "_", " "))
		}
	default:
		kinds := map[string]engine.Kind{"started": engine.Started, "elapsed": engine.Elapsed, "exited": engine.Exited}
		kind, ok := kinds[words[1]]
		if !ok {
			return fmt.Errorf("no input %q", words[1])
		}
		in.Kind = kind
	}
	if err != nil {
		return err
	}
	d.show(out, engine.Step(&d.policy, d.state, &in))
	return nil
}

// result lets Assign see the fields of an answer.
type result struct{ *engine.Input }

func (d *domain) sampled(in *engine.Input, words []string) error {
	in.Kind = engine.Sampled
	var fields []string
	for _, w := range words {
		switch w {
		case "kswapd":
			in.Reclaim.Known, in.Reclaim.Kswapd = true, true
		case "direct":
			in.Reclaim.Known, in.Reclaim.Direct = true, true
		case "events":
			in.Reclaim.Known = true
		default:
			fields = append(fields, w)
		}
	}
	d.sample.At = d.now
	in.Sample, in.Targets = &d.sample, d.targets
	return d.set(fields)
}

func woken(in *engine.Input, words []string) error {
	in.Kind = engine.Woken
	sources := map[string]engine.Source{
		"psi": engine.FromPSI, "kswapd": engine.FromKswapd, "direct": engine.FromDirect, "oom": engine.FromOOM,
		"vmpressure": engine.FromVmpressure, "faults": engine.FromFaults,
	}
	for _, s := range strings.Split(words[0], "+") {
		if sources[s] == 0 {
			return fmt.Errorf("no source %q", s)
		}
		in.Source |= sources[s]
	}
	if len(words) > 1 {
		in.Event = levels[words[1]]
	}
	return nil
}

func (d *domain) show(out *transcript.Out, o *engine.Output) {
	if o.Note != engine.NoNote {
		out.Printf("note: %v", o.Note)
	}
	if o.Outcome != nil {
		showOutcome(out, o.Outcome)
	}
	if o.Verdict != nil && o.Verdict.Event != pressure.LevelNone {
		out.Printf("event: %v", o.Verdict.Event)
	}
	if o.LevelChanged {
		out.Printf("level: %v", o.Level)
	}
	if v := o.Verdict; v != nil && v.Act {
		out.Printf("verdict: %v, min adj %d: %s", v.Reason, v.MinAdj, v.Because(&d.policy.Pressure))
	}
	if o.Ranking != nil {
		for _, l := range o.Ranking.Explain(&d.policy.Victim, d.table) {
			out.Printf("%s", l)
		}
	}
	for i := range o.Actions {
		showAction(out, d, &o.Actions[i])
	}
	if len(o.Actions) == 0 {
		out.Printf("-")
	}
}

func showAction(out *transcript.Out, d *domain, a *engine.Action) {
	switch a.Do {
	case engine.Sample:
		out.Printf("sample%s", map[bool]string{true: " with watermarks"}[a.Watermarks])
	case engine.List:
		out.Printf("list: min adj %d, count file %v%s%s", a.Query.MinAdj, a.Query.CountFile, shunned(&a.Query), episode(a))
	case engine.Kill:
		out.Printf("kill %s%s", d.table[a.Index].Name(), map[bool]string{true: " with its descendants"}[a.Tree])
	case engine.Expedite:
		out.Printf("expedite %s", d.table[a.Index].Name())
	case engine.Wait:
		if a.Until == 0 {
			out.Printf("wait for ever")
			return
		}
		out.Printf("wait %v, until %v", a.Until-d.now, a.Until-start)
	case engine.Rest:
		out.Printf("rest; reclaim events need not wake for %v%s%s", a.Until-d.now, room(a), again(d, a))
	case engine.Relieve, engine.Relent:
		for i := range d.policy.Relief {
			if a.Acts&(1<<i) != 0 {
				out.Printf("%v: %v", a.Do, d.policy.Relief[i].Act)
			}
		}
	default:
		out.Printf("%v", a.Do)
	}
}

// room tells how much page faults may bring before they wake.
func room(a *engine.Action) string {
	if a.Room == 0 {
		return ""
	}
	return fmt.Sprintf(", nor page faults below %.1fMiB", float64(a.Room)/(1<<20))
}

// again tells when a domain that rests looks once more.
func again(d *domain, a *engine.Action) string {
	if a.Again == 0 {
		return ""
	}
	return fmt.Sprintf("; look again in %v", a.Again-d.now)
}

// episode tells what an episode adds to a question.
func episode(a *engine.Action) (text string) {
	if a.Surveyed {
		text += ", growth since the survey"
	}
	if a.Query.Bereaved != 0 {
		text += fmt.Sprintf(", parent %d lost some", a.Query.Bereaved)
	}
	if a.Query.SwapSaved != 0 {
		text += fmt.Sprintf(", %d of 1000 in swap cost nothing", a.Query.SwapSaved)
	}
	return text
}

func shunned(q *victim.Query) (text string) {
	for _, id := range q.Shun {
		if id.PID != 0 {
			text += fmt.Sprintf(", not %d", id.PID)
		}
	}
	return text
}

// showOutcome shows what is set, in the order of the struct.
func showOutcome(out *transcript.Out, o *engine.Outcome) {
	text := fmt.Sprintf("kill %d of %s for %v", o.ID, o.Victim.Name(), o.Verdict.Reason)
	v := reflect.ValueOf(o).Elem()
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		if f := v.Field(i); !f.IsZero() && name != "ID" && name != "Victim" && name != "Verdict" {
			value := f.Interface()
			if at, ok := value.(time.Duration); ok && strings.HasSuffix(name, "At") {
				value = at - start
			}
			text += fmt.Sprintf(", %s %v", name, value)
		}
	}
	out.Printf("%s, freed %dMiB", text, o.Freed()>>20)
}
