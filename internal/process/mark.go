package process

import (
	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/victim"
)

// maxEnviron is how much of an environment is looked at.
const maxEnviron = lineSize

// texts are what rules asked for of the process that is being marked, each
// read at most once.
type texts struct {
	pid, ppid int32
	read      [victim.Environ + 1]bool
	text      [victim.Environ + 1][]byte
}

// mark applies the rules to p, whose phase two is read.
func (t *Table) mark(p *victim.Process) {
	t.texts = texts{pid: p.PID, ppid: p.PPID}
	t.ask.Policy.Mark(p, t, t.ask.RAM)
}

// premark does so in phase one, and leaves of phase two nothing but the marks.
// Who vanishes meanwhile is found to be gone later.
func (t *Table) premark(p *victim.Process) {
	t.marked = *p
	if t.phaseTwo(&t.marked) == isThere {
		t.mark(&t.marked)
	}
	p.Rule, p.Effect, p.Adjust, p.Death = t.marked.Rule, t.marked.Effect, t.marked.Adjust, t.marked.Death
	t.textUsed, t.groupsRead = 0, 0
}

// Text is how rules read what only they need: it makes a Table the
// victim.Reader of the process that it marks. What can not be read is nil.
func (t *Table) Text(which victim.Text) []byte {
	x := &t.texts
	if !x.read[which] {
		x.read[which] = true
		x.text[which] = t.readText(which)
	}
	return x.text[which]
}

func (t *Table) readText(which victim.Text) []byte {
	t.setProcess(t.texts.pid)
	switch which {
	case victim.Parent:
		return t.parentName()
	case victim.Exe:
		n, e := sys.ReadLinkAt(t.proc.Int(), t.setName("exe"), t.line)
		if e != 0 {
			return nil
		}
		return t.keep(t.line[:n])
	case victim.Cmdline:
		return t.words("cmdline", maxCmdline)
	case victim.Environ:
		return t.raw("environ", maxEnviron)
	}
	return nil
}

func (t *Table) parentName() []byte {
	if t.texts.ppid <= 0 {
		return nil
	}
	t.setProcess(t.texts.ppid)
	name := t.raw("comm", quickSize)
	if len(name) > 0 && name[len(name)-1] == '\n' {
		name = name[:len(name)-1]
	}
	return name
}

// raw reads the begin of a file.
func (t *Table) raw(name string, limit int) []byte {
	n, e := t.file(name, 0, t.line[:limit])
	if e != 0 {
		return nil
	}
	return t.keep(t.line[:n])
}

// words reads a command line as a person writes it, with blanks for the NULs.
func (t *Table) words(name string, limit int) []byte {
	text := t.raw(name, limit)
	for len(text) > 0 && text[len(text)-1] == 0 {
		text = text[:len(text)-1]
	}
	for i := range text {
		if text[i] == 0 {
			text[i] = ' '
		}
	}
	return text
}
