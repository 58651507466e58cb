package victim

import (
	"strconv"
	"unicode/utf8"
)

// Explain says of every place of a ranking, in its order, why it stands there:
// why each of the eligible stands behind the one before, and why the others can
// not be chosen. The table is the one that was ranked by pol.
func (r *Ranking) Explain(pol *Policy, table []Process) []string {
	lines := make([]string, 0, len(r.Places))
	for i := range r.Places {
		place := &r.Places[i]
		p := &table[place.Index]
		if place.Excluded != Eligible {
			lines = append(lines, "never: "+p.describe()+"; "+place.Excluded.String()+p.ruled(pol))
			continue
		}
		line := strconv.Itoa(i+1) + ". " + p.describe() + ", gives back " + size(place.Gain) + p.details(pol, place.Gain)
		if i > 0 {
			line += "; " + place.By.String()
		}
		lines = append(lines, line)
	}
	return lines
}

// details says what else the place of an eligible process hangs on.
func (p *Process) details(pol *Policy, gain uint64) (text string) {
	switch {
	case p.Brood > 0:
		text = " with " + strconv.Itoa(int(p.Children)) + p.broodKind()
	case p.Members > 0:
		text = " with " + others(p.Members) + ", " + size(gain-min(gain, p.company())) + " of it its own"
	}
	if p.Joint > 0 {
		text += ", " + size(p.Joint) + " of shared memory left to others"
	}
	if pol.GrowthWeight > 0 && p.Growth > 0 {
		text += ", grown by " + size(p.Growth)
	}
	text += p.ruled(pol)
	if p.Dies() == AsOOMGroup {
		text += " (as a cgroup: memory.oom.group of " + Quote(p.DyingCgroup()) + ")"
	}
	return text + p.Sparing()
}

func (p *Process) broodKind() string {
	switch p.Dies() {
	case AsBrood:
		return " like it"
	case AsGroup:
		return " young of its process group"
	}
	return " young children"
}

func others(n int32) string {
	if n == 1 {
		return "another"
	}
	return strconv.Itoa(int(n)) + " others"
}

// ruled names what made p what it is: the rule that holds for it, when it does
// anything, and the settings of its cgroup that were heeded.
func (p *Process) ruled(pol *Policy) (text string) {
	r := pol.rule(p)
	if r != nil && (r.Effect != Usual || r.Adjust != 0 || r.Death != AsProcess) {
		text = " (" + r.Effect.String()
		if r.Adjust != 0 {
			text += ", " + strconv.Itoa(int(r.Adjust)) + " added"
		}
		if r.Death != AsProcess {
			text += ", as a " + r.Death.String()
		}
		text += ": " + r.Name + ")"
	}
	if p.avoided(r) {
		text += " (last: ManagedOOMPreference=avoid)"
	}
	return text
}

// Sparing names those of the unit of p who live on, for a line of text; "" for
// none. It allocates.
func (p *Process) Sparing() (text string) {
	for rest := p.Spared; len(rest) > 0; {
		var one []byte
		one, rest = cut(rest, 0)
		pid, name := cut(one, ' ')
		if text != "" {
			text += ","
		}
		text += " " + Quote(name) + " (" + string(pid) + ")"
	}
	if text != "" {
		text = ", sparing" + text
	}
	return text
}

// describe names p with what its class depends on.
func (p *Process) describe() string {
	text := Quote(p.Comm[:p.CommLen]) + " (" + strconv.Itoa(int(p.PID)) + "), oom_score_adj " + strconv.Itoa(int(p.Adj))
	if p.Is(Registered) {
		text += ", registered"
	}
	return text
}

// Quote puts a name of the kernel's into single quotes for a line of text; what
// could be mistaken for something else, a quote, a backslash or what does not
// print, is escaped. It allocates.
func Quote(name []byte) string {
	out := []byte{'\''}
	for len(name) > 0 {
		r, n := utf8.DecodeRune(name)
		switch {
		case r == '\'' || r == '\\':
			out = append(out, '\\', byte(r))
		case r == utf8.RuneError && n == 1 || !strconv.IsPrint(r):
			for _, c := range name[:n] {
				out = append(out, '\\', 'x', hex[c>>4], hex[c&15])
			}
		default:
			out = append(out, name[:n]...)
		}
		name = name[n:]
	}
	return string(append(out, '\''))
}

const hex = "0123456789abcdef"

// size writes bytes as a person does: three digits and a unit.
func size(v uint64) string {
	if v < 1<<10 {
		return strconv.FormatUint(v, 10) + "B"
	}
	value, unit := float64(v)/(1<<10), 0
	for value >= 1000 && unit < 3 {
		value, unit = value/1024, unit+1
	}
	digits := 1
	if value >= 100 {
		digits = 0
	}
	return strconv.FormatFloat(value, 'f', digits, 64) + [...]string{"KiB", "MiB", "GiB", "TiB"}[unit]
}

// Known tells whether the place's reasons are of those that this package gives:
// a record of another version may have more.
func (p *Place) Known() bool {
	return int(p.Excluded) < len(exclusionText) && int(p.By) < len(comparisonText)
}
