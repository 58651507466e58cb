package pressure

import (
	"strconv"
	"strings"
)

// Because gives the numbers that the verdict's reason rests on, in one line; it
// is empty for a verdict that does not act.
func (v *Verdict) Because(p *Policy) string {
	rules := p.tree()
	for i := range rules {
		if v.Act && rules[i].reason == v.Reason {
			return conditions(rules[i].clauses(p, v), true)
		}
	}
	return ""
}

// Explain says in sentences why the verdict acts, or why it does not: the
// outcome, what pressed, the gate, and every rule in order with the numbers
// that it compared, up to the one that held.
func (v *Verdict) Explain(p *Policy) []string {
	lines := []string{v.outcome(), v.pressure(p)}
	f := &v.Facts
	switch {
	case !f.Pressed:
		return lines
	case f.Plenty:
		return append(lines, "more than "+percent(p.MaxAvailable)+" of "+size(f.Total)+" is available, "+size(f.Available)+
			": nothing is done, however loud the pressure")
	}
	rules := p.tree()
	for i := range rules {
		held := v.Act && rules[i].reason == v.Reason
		verb := ": no, "
		if held {
			verb = ": yes, "
		}
		lines = append(lines, rules[i].reason.String()+verb+conditions(rules[i].clauses(p, v), held))
		if held {
			break
		}
	}
	return append(lines, v.bar(p)...)
}

// outcome is the verdict in one sentence.
func (v *Verdict) outcome() string {
	if !v.Act {
		return "nothing is done"
	}
	return v.Reason.String() + ": a process with oom_score_adj " + strconv.Itoa(int(v.MinAdj)) + " or above must die"
}

// pressure says who pressed.
func (v *Verdict) pressure(p *Policy) string {
	f := &v.Facts
	var by []string
	add := func(ok bool, text string) {
		if ok {
			by = append(by, text)
		}
	}
	add(f.Kswapd, "kswapd reclaims")
	add(f.Direct, "a task is in direct reclaim")
	add(v.Event != LevelNone, "a "+v.Event.String()+" event")
	add(f.AfterKill, "a kill came before")
	switch {
	case f.Pressed && len(by) == 0:
		return "pressure: tasks stalled, pages refaulted or memory fell near its floor since the last look"
	case f.Pressed:
		return "pressure: " + join(by)
	case p.Strategy == ByLevel:
		return "no event since the last look"
	case len(by) > 0 && p.OnlyReclaim:
		return "no pressure: " + join(by) + ", but nothing was reclaimed or refaulted since the last look"
	}
	return "no pressure since the last look"
}

// bar says why the victim may be as important as it may.
func (v *Verdict) bar(p *Policy) []string {
	if v.Act && v.Facts.Stalled {
		return []string{"all tasks stalled " + percent(int(v.Facts.FullAvg10)/100) + " of the last 10s, beyond " +
			percent(p.StallLimitCritical) + ": any process with oom_score_adj 0 or above may die"}
	}
	return nil
}

// conditions joins the clauses that hold, or those that do not. Of a rule that
// is switched off nothing else is worth saying.
func conditions(clauses []clause, hold bool) string {
	if first := clauses[0]; !hold && !first.ok && strings.HasPrefix(first.text, switchedOff) {
		return first.text
	}
	var texts []string
	for _, c := range clauses {
		if c.ok == hold && c.text != "" {
			texts = append(texts, c.text)
		}
	}
	return join(texts)
}

// join writes "a", "a and b", "a, b and c".
func join(texts []string) string {
	out := ""
	for i, t := range texts {
		switch {
		case i > 0 && i == len(texts)-1:
			out += " and "
		case i > 0:
			out += ", "
		}
		out += t
	}
	return out
}
