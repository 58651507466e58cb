package process

import (
	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/victim"
)

// detail is phase two: the dear files of one process. A process that vanishes
// on the way, or cannot be read, is flagged Vanished, which excludes it.
func (t *Table) detail(p *victim.Process) {
	t.stats.Detailed++
	if t.phaseTwo(p) != isThere || t.disown(p) != isThere {
		p.Flag |= victim.Vanished
	} else {
		t.grew(p)
		t.mark(p)
	}
	p.Flag |= victim.Detailed
}

func (t *Table) phaseTwo(p *victim.Process) outcome {
	t.setProcess(p.PID)
	leader, e, err := t.readStat()
	if e != 0 {
		return t.failed(e)
	}
	if err != nil {
		return t.judge(err)
	}
	t.identify(p, &leader)
	task := leader
	if leader.dead() || leader.is(flagExiting) {
		var out outcome
		if task, out = t.survivor(p, leader); out != isThere {
			return out
		}
	}
	if task.is(flagExiting) {
		p.Flag |= victim.Dying
	}
	if task.state == 'D' {
		p.Flag |= victim.Uninterruptible
	}
	if p.RSS == 0 { // phase one went by the score
		if out := t.splitHint(p); out != isThere {
			return out
		}
	}
	if out := t.readStatus(p); out != isThere {
		return out
	}
	if out := t.readCgroup(p); out != isThere {
		return out
	}
	if out := t.readCmdline(p); out != isThere {
		return out
	}
	t.heed(p)
	return isThere
}

// splitHint takes the resident part out of what the score bounds.
func (t *Table) splitHint(p *victim.Process) outcome {
	m, out := t.readStatm()
	p.RSS, p.Shared = m.resident*t.pageSize, m.shared*t.pageSize
	p.SwapHint -= min(p.SwapHint, p.RSS)
	return out
}

// identify takes what belongs to the whole group from its leader.
func (t *Table) identify(p *victim.Process, leader *stat) {
	p.PPID, p.StartTime, p.Threads, p.MajorFaults = leader.ppid, leader.startTime, leader.threads, leader.majflt
	p.Group, p.Session = leader.group, leader.session
	p.SetName(leader.name)
	if leader.session == p.PID {
		p.Flag |= victim.LeadsSession
	}
	if leader.is(flagKernel) {
		p.Flag |= victim.Kernel
	}
}

// survivor looks for the thread that keeps the memory of a group whose leader
// has exited, and leaves it set as what file reads: the leader is in no cgroup of
// version 1 any more either. Without one the group is a zombie, or about to be
// one.
func (t *Table) survivor(p *victim.Process, leader stat) (stat, outcome) {
	if leader.threads > 1 {
		if _, _, ok := t.livingThread(p.PID); ok {
			s, e, err := t.readStat()
			if e != 0 {
				return stat{}, t.failed(e)
			}
			return s, t.judge(err)
		}
		t.setProcess(p.PID)
	}
	if leader.dead() {
		p.Flag |= victim.Zombie
	}
	return leader, isThere
}

// readStat reads the stat of the process or thread that was set.
func (t *Table) readStat() (stat, sys.Errno, error) {
	buf := t.line[:statSize]
	n, e := t.file("stat", 0, buf)
	if e != 0 {
		return stat{}, e, nil
	}
	s, err := parseStat(buf[:n])
	return s, 0, err
}

// lines begins a file of the process that was set.
func (t *Table) lines(name string) lines { return lines{table: t, name: name, buf: t.line} }

func (t *Table) readStatus(p *victim.Process) outcome {
	var s status
	l := t.lines("status")
	for {
		line, ok := l.next()
		if !ok {
			break
		}
		if !s.set(line) {
			return t.judge(errMalformed)
		}
	}
	if l.errno != 0 {
		return t.failed(l.errno)
	}
	if s.tgid != p.PID {
		return isVanished
	}
	s.fill(p)
	if t.walked { // what statm says, now
		p.RSS, p.Shared = p.RssAnon+p.RssFile+p.RssShmem, p.RssFile+p.RssShmem
	}
	if t.knowsShared() { // VmLck counts addresses, and what several share for each
		p.Locked = min(p.Locked, t.ask.Mlocked)
	}
	return isThere
}

// fill moves the facts of a status to p.
func (s *status) fill(p *victim.Process) {
	p.UID, p.Threads = s.uid, s.threads
	p.RssAnon, p.RssFile, p.RssShmem = s.anon, s.file, s.shmem
	p.Swap, p.Locked, p.Huge, p.PageTable = s.swap, s.locked, s.huge, s.tables
	for _, f := range [...]struct {
		holds bool
		flag  victim.Flag
	}{
		{s.tracer != 0, victim.Traced},
		{s.killed, victim.Dying},
		{s.coreDumping, victim.CoreDumping},
		{s.initOfNS, victim.InitOfNS},
	} {
		if f.holds {
			p.Flag |= f.flag
		}
	}
}

// readCgroup keeps the path of the cgroup that the memory is charged to.
func (t *Table) readCgroup(p *victim.Process) outcome {
	if t.onV1 = false; !t.cgroups {
		return isThere
	}
	l := t.lines("cgroup")
	for {
		line, ok := l.next()
		if !ok {
			break
		}
		path, memory, ok := cgroupPath(line)
		if !ok {
			return t.judge(errMalformed)
		}
		if path != nil && (memory || p.Cgroup == nil) {
			p.Cgroup = t.keep(path)
		}
		if memory {
			t.onV1 = true
			break
		}
	}
	if l.errno != 0 {
		return t.failed(l.errno)
	}
	return isThere
}

// readCmdline keeps the command line, cut to maxCmdline bytes.
func (t *Table) readCmdline(p *victim.Process) outcome {
	if !t.options.Cmdline {
		return isThere
	}
	n, e := t.file("cmdline", 0, t.line[:maxCmdline])
	if e != 0 {
		return t.failed(e)
	}
	p.Cmdline = t.keep(t.line[:n])
	return isThere
}

// keep copies text to where it lives until the next choice. A full buffer is
// left to those who have slices of it, and a larger one taken from then on.
func (t *Table) keep(text []byte) []byte {
	if len(t.text)-t.textUsed < len(text) {
		t.text, t.textUsed = make([]byte, 2*len(t.text)), 0
	}
	end := t.textUsed + copy(t.text[t.textUsed:], text)
	kept := t.text[t.textUsed:end:end]
	t.textUsed = end
	return kept
}
