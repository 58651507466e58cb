package process

import "github.com/lmkd/lmkd/pkg/victim"

// Matches reads every process closely and gives to each whom the rules of the
// policy are about, by the rule's index; holds is false where a rule before it
// holds instead. It is for a person who asks, and takes its time. The process is
// valid for the call.
func (t *Table) Matches(ask Ask, each func(rule int, p *victim.Process, holds bool)) error {
	t.begin(ask)
	defer t.keepSpare()
	return t.list(func(pid int32) { t.match(pid, each) })
}

func (t *Table) match(pid int32, each func(rule int, p *victim.Process, holds bool)) {
	t.one = victim.Process{PID: pid}
	t.textUsed, t.groupsRead = 0, 0
	t.detail(&t.one)
	p := t.one
	if p.Flag&(victim.Vanished|victim.Kernel|victim.Zombie) != 0 {
		return
	}
	for i := range t.ask.Policy.Rules {
		if t.ask.Policy.Rules[i].Matches(&p, t, t.ask.RAM) {
			each(i, &p, int(p.Rule) == i+1)
		}
	}
}
