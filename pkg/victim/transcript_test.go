package victim_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/lmkd/lmkd/internal/transcript"
	"github.com/lmkd/lmkd/pkg/victim"
)

// TestTranscripts runs testdata/*.txt. A line is
//
//	# text             a comment
//	policy K=V ...     bands (a list, or none), mingain, never (a list); forgets the machine
//	                   growth (its weight), brood, ram, shmem (of the machine), and builtin for the rules that come along
//	                   roll (only, first, beside or off) and heaviest
//	rule K=V ...       goes before those: comm, cgroup, unit, exe, cmdline, parent, users, and
//	                   effect, adj, kill, below
//	query K=V ...      minadj, countfile, swapsaved, bereaved, shun (a list of pid/start)
//	NAME PID K=V ...   a process: adj, anon, file, shmem, swap, locked, growth, start, ppid, uid, turn (which registers it),
//	                   cgroup, oomgroup (a path that holds it), group, session,
//	                   exe, cmdline (with _ for blanks) and flags (a list);
//	                   NAME is a Go string if it begins with a quote
//	rank               ranks the machine and explains it
//	shortlist N        offers the machine as phase one sees it, N places
//
// What the ranking says follows, indented, and is compared.
func TestTranscripts(t *testing.T) {
	transcript.Run(t, func() transcript.Line { return new(machine).line })
}

// machine is a transcript under way.
type machine struct {
	policy victim.Policy
	query  victim.Query
	table  []victim.Process
	texts  map[int32]files
	ram    uint64
	shmem  uint64
	own    int // how many rules stand before the built-in
}

// files are what rules read of one process.
type files map[victim.Text]string

func (f files) Text(which victim.Text) []byte {
	if s, ok := f[which]; ok {
		return []byte(s)
	}
	return nil
}

func (m *machine) line(out *transcript.Out, words []string) error {
	switch words[0] {
	case "policy":
		*m = machine{texts: map[int32]files{}}
		return each(words[1:], m.setPolicy)
	case "query":
		m.query = victim.Query{}
		return each(words[1:], m.setQuery)
	case "rule":
		return m.rule(words[1:])
	case "rank":
		m.mark()
		var r victim.Ranking
		m.policy.Rank(&m.query, m.table, &r)
		for _, l := range r.Explain(&m.policy, m.table) {
			out.Printf("%s", l)
		}
		return nil
	case "shortlist":
		return m.shortlist(out, words[1])
	}
	return m.process(words)
}

func each(words []string, set func(key, value string) error) error {
	for _, w := range words {
		key, value, _ := strings.Cut(w, "=")
		if err := set(key, value); err != nil {
			return err
		}
	}
	return nil
}

func list(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' })
}

func (m *machine) setPolicy(key, value string) (err error) {
	switch key {
	case "bands":
		for _, v := range list(value) {
			n, err := strconv.ParseInt(v, 10, 16)
			if err != nil {
				return err
			}
			m.policy.Bands = append(m.policy.Bands, int16(n))
		}
	case "mingain":
		m.policy.MinGain, err = transcript.ParseSize(value)
	case "never":
		m.policy.Never = list(value)
	case "growth":
		_, err = fmt.Sscan(value, &m.policy.GrowthWeight)
	case "brood":
		_, err = fmt.Sscan(value, &m.policy.Brood)
	case "ram":
		m.ram, err = transcript.ParseSize(value)
	case "roll":
		for _, u := range victim.RollUses() {
			if u.String() == value {
				m.policy.Roll = u
			}
		}
	case "heaviest":
		m.policy.KillHeaviest = true
	case "shmem":
		m.shmem, err = transcript.ParseSize(value)
	case "builtin":
		m.policy.Rules = victim.BuiltIn()
	default:
		err = fmt.Errorf("no setting %q", key)
	}
	return err
}

// rule puts one behind those before it and before the built-in ones.
func (m *machine) rule(words []string) error {
	r := victim.Rule{Name: strings.Join(words, " ")}
	err := each(words, func(key, value string) (err error) {
		switch key {
		case "comm":
			r.Match.Comm = victim.Globs{victim.Glob(value)}
		case "unit":
			r.Match.Unit = victim.Glob(value)
		case "cgroup":
			r.Match.Cgroup = victim.Glob(value)
		case "exe":
			r.Match.Exe = victim.Glob(value)
		case "cmdline":
			r.Match.Cmdline = victim.Glob(value)
		case "parent":
			r.Match.Parent = victim.Literal(value)
		case "user":
			var uid uint32
			_, err = fmt.Sscan(value, &uid)
			r.Match.Users = append(r.Match.Users, uid)
		case "effect":
			r.SaysEffect = true
			for _, e := range victim.Effects() {
				if e.String() == value {
					r.Effect = e
				}
			}
		case "adj":
			_, err = fmt.Sscan(value, &r.Adjust)
		case "below":
			_, err = fmt.Sscan(value, &r.Below)
		case "kill":
			r.SaysDeath = true
			for _, d := range victim.Deaths() {
				if d.String() == value {
					r.Death = d
				}
			}
		default:
			err = fmt.Errorf("a rule has no %q", key)
		}
		return err
	})
	m.policy.Rules = slices.Insert(m.policy.Rules, m.own, r)
	m.own++
	return err
}

// mark does what the reader of a process table does: rules, then broods, then
// units.
func (m *machine) mark() {
	m.markAlone()
	for i := range m.table {
		if p := &m.table[i]; p.Dies() != victim.AsProcess && p.Dies() != victim.AsBrood && m.policy.Excluded(&m.query, p) == victim.Eligible {
			m.unite(p)
		}
	}
}

// unite sums up what dies with p.
func (m *machine) unite(p *victim.Process) {
	for i := range m.table {
		other := &m.table[i]
		switch {
		case other == p || !m.dieTogether(p, other):
		case m.policy.Spares(other, p.DyingCgroup()):
			p.Spared = fmt.Appendf(p.Spared, "%d %s\x00", other.PID, other.Name())
		default:
			alone := *other
			alone.Unit, alone.Brood = 0, 0
			p.Unit += m.query.Gain(&alone)
			p.Members++
		}
	}
}

func (m *machine) dieTogether(p, other *victim.Process) bool {
	switch p.Dies() {
	case victim.AsTree:
		for parent := other.PPID; parent > 1; parent = m.parentOf(parent) {
			if parent == p.PID {
				return true
			}
		}
		return false
	case victim.AsSession:
		return p.Session == other.Session
	case victim.AsGroup:
		return p.Group == other.Group
	}
	path, inner := string(p.DyingCgroup()), string(other.Cgroup)
	return inner == path || strings.HasPrefix(inner, path+"/")
}

func (m *machine) parentOf(pid int32) int32 {
	for i := range m.table {
		if m.table[i].PID == pid {
			return m.table[i].PPID
		}
	}
	return 0
}

func (m *machine) markAlone() {
	victim.Disjoin(m.table, m.shmem)
	for i := range m.table {
		p := &m.table[i]
		p.Brood, p.Children, p.Unit, p.Members, p.Spared = 0, 0, 0, 0, nil
		m.policy.Mark(p, m.texts[p.PID], m.ram)
	}
	if m.policy.Brood == 0 {
		return
	}
	b, ok := m.query.FindBrood(&m.policy, m.table, m.policy.Brood)
	if ok && m.stand(b.Parent, func(p *victim.Process) { p.Leads(b) }) {
		return
	}
	h, ok := m.query.FindHorde(&m.policy, m.table, m.policy.Brood)
	if !ok {
		return
	}
	like := &m.table[h.Largest]
	if h.Group == 0 || !m.stand(h.Group, func(p *victim.Process) {
		p.LeadsHorde(&m.query, h, victim.AsGroup, p.Is(victim.Young) && p.Comm == like.Comm)
	}) {
		like.LeadsHorde(&m.query, h, victim.AsBrood, true)
	}
}

// stand lets pid lead others, if it may.
func (m *machine) stand(pid int32, lead func(p *victim.Process)) bool {
	for i := range m.table {
		p := &m.table[i]
		alone := *p
		if p.PID != pid || p.Effect == victim.Last {
			continue
		}
		if lead(p); m.policy.Excluded(&m.query, p) == victim.Eligible {
			return true
		}
		*p = alone
	}
	return false
}

func (m *machine) setQuery(key, value string) (err error) {
	switch key {
	case "minadj":
		_, err = fmt.Sscan(value, &m.query.MinAdj)
	case "countfile":
		m.query.CountFile = true
	case "swapsaved":
		_, err = fmt.Sscan(value, &m.query.SwapSaved)
	case "bereaved":
		_, err = fmt.Sscan(value, &m.query.Bereaved)
	case "shun":
		for _, v := range list(value) {
			var id victim.Identity
			if _, err = fmt.Sscanf(v, "%d/%d", &id.PID, &id.StartTime); err != nil {
				return err
			}
			m.query.Shun.Add(id)
		}
	default:
		err = fmt.Errorf("no setting %q", key)
	}
	return err
}

var flags = map[string]victim.Flag{
	"kernel": victim.Kernel, "zombie": victim.Zombie, "own": victim.Own, "dying": victim.Dying, "vanished": victim.Vanished,
	"stranger": victim.Unregistered, "leader": victim.LeadsSession, "young": victim.Young, "avoid": victim.Avoided, "omit": victim.Omitted, "orphan": victim.Orphan,
}

func (m *machine) process(words []string) error {
	p := victim.Process{Flag: victim.Detailed}
	name := words[0]
	if name[0] == '"' {
		unquoted, err := strconv.Unquote(name)
		if err != nil {
			return err
		}
		name = unquoted
	}
	p.SetName([]byte(name))
	if _, err := fmt.Sscan(words[1], &p.PID); err != nil {
		return err
	}
	text := files{}
	m.texts[p.PID] = text
	err := each(words[2:], func(key, value string) (err error) {
		switch key {
		case "uid":
			_, err = fmt.Sscan(value, &p.UID)
		case "ppid":
			_, err = fmt.Sscan(value, &p.PPID)
			text[victim.Parent] = m.nameOf(p.PPID)
		case "cgroup":
			p.Cgroup = []byte(value)
		case "oomgroup":
			p.OOMGroup = int32(len(value))
		case "group":
			_, err = fmt.Sscan(value, &p.Group)
		case "session":
			_, err = fmt.Sscan(value, &p.Session)
		case "exe":
			text[victim.Exe] = value
		case "cmdline":
			text[victim.Cmdline] = strings.ReplaceAll(value, "_", " ")
		case "growth":
			p.Growth, err = transcript.ParseSize(value)
		case "locked":
			p.Locked, err = transcript.ParseSize(value)
		case "adj":
			_, err = fmt.Sscan(value, &p.Adj)
		case "turn":
			p.Flag |= victim.Registered
			_, err = fmt.Sscan(value, &p.Turn)
		case "start":
			_, err = fmt.Sscan(value, &p.StartTime)
		case "anon":
			p.RssAnon, err = transcript.ParseSize(value)
		case "file":
			p.RssFile, err = transcript.ParseSize(value)
		case "shmem":
			p.RssShmem, err = transcript.ParseSize(value)
		case "swap":
			p.Swap, err = transcript.ParseSize(value)
		case "flags":
			for _, f := range list(value) {
				p.Flag |= flags[f]
			}
		default:
			err = fmt.Errorf("a process has no %q", key)
		}
		return err
	})
	p.RSS = p.RssAnon + p.RssFile + p.RssShmem
	m.table = append(m.table, p)
	return err
}

func (m *machine) nameOf(pid int32) string {
	for i := range m.table {
		if m.table[i].PID == pid {
			return m.table[i].Name()
		}
	}
	return ""
}

// shortlist shows phase one: no start time, no parts, no flags of status.
func (m *machine) shortlist(out *transcript.Out, limit string) error {
	n, err := strconv.Atoi(limit)
	if err != nil {
		return err
	}
	s := victim.NewShortlist(n)
	s.Reset(&m.policy, m.query, nil)
	for i := range m.table {
		p := &m.table[i]
		one := victim.Process{PID: p.PID, Adj: p.Adj, RSS: p.RSS, SwapHint: p.Swap, Flag: p.Flag & (victim.Kernel | victim.Own)}
		s.Offer(&one)
	}
	for _, p := range s.Sorted() {
		out.Printf("kept pid %d, adj %d, at most %d MiB", p.PID, p.Adj, m.query.Gain(&p)>>20)
	}
	if cut := s.Cut(); cut != nil {
		out.Printf("the best that did not fit: pid %d, adj %d, at most %d MiB", cut.PID, cut.Adj, m.query.Gain(cut)>>20)
	}
	for why, count := range s.Refused {
		if count > 0 {
			out.Printf("refused %d: %v", count, victim.Exclusion(why))
		}
	}
	return nil
}
