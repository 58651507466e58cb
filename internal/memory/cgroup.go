package memory

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/pressure"
)

// Cgroups opens readers of single cgroups (v2) and keeps what they share: one
// buffer, the machine's meminfo, and the limits of their ancestors. It is not
// safe for concurrent use.
type Cgroups struct {
	buf      []byte
	root     string // where cgroup v2 is mounted
	pageSize uint64
	meminfo  file
	mem      meminfo // scratch of one reading
	stat     cgroupStat
	levels   map[string]*level
}

// Cgroup reads the memory state of one cgroup and all below it, as a machine of
// its own whose memory is the limit. It owns its descriptors until Close.
type Cgroup struct {
	shared *Cgroups
	levels []*level // itself first, then its ancestors but the root
	stat   file
	events file
	stall  stallFile
	gone   bool
}

// OpenCgroups opens what readers of cgroups share: meminfo below proc's root, and
// the hierarchy at dir.
func OpenCgroups(root, dir string) (*Cgroups, error) {
	c := &Cgroups{buf: make([]byte, bufferSize), root: dir, pageSize: sys.Pagesize(), levels: map[string]*level{}}
	var err error
	c.meminfo, err = openFile(root, "proc/meminfo")
	return c, err
}

// Close gives back what is shared, when all readers are closed.
func (c *Cgroups) Close() { c.meminfo.close() }

// Open opens the files of the cgroup at path, "/user.slice". It fails when they
// are not there: the cgroup is gone, or nobody gave it the memory controller.
func (c *Cgroups) Open(path string) (*Cgroup, error) {
	g := &Cgroup{shared: c}
	if err := g.open(path); err != nil {
		g.Close()
		return nil, err
	}
	return g, nil
}

func (g *Cgroup) open(path string) error {
	c, dir := g.shared, g.shared.root+path
	var err error
	if g.stat, err = openFile(dir, "memory.stat"); err != nil {
		return err
	}
	if g.events, err = openFile(dir, "memory.events"); err != nil {
		return err
	}
	g.stall = stallFile{has: pressure.HasStall, into: func(s *pressure.Sample) *pressure.Stall { return &s.Stall }}
	if g.stall.file, err = openFile(dir, "memory.pressure"); err != nil {
		return err
	}
	for at := path; at != ""; at = at[:strings.LastIndexByte(at, '/')] {
		l, err := c.level(at)
		if err != nil {
			return err
		}
		g.levels = append(g.levels, l)
	}
	var s pressure.Sample
	return g.Sample(0, &s)
}

// Close gives all descriptors back.
func (g *Cgroup) Close() {
	g.stat.close()
	g.events.close()
	g.stall.close()
	for _, l := range g.levels {
		g.shared.leave(l)
	}
	g.levels = nil
}

// Gone tells that the cgroup was not there any more at the last Sample.
func (g *Cgroup) Gone() bool { return g.gone }

// Machine gives RAM and swap of the whole machine in bytes, as of the last
// Sample of any cgroup.
func (g *Cgroup) Machine() (ram, swap uint64) { return g.shared.mem.Total, g.shared.mem.SwapTotal }

// Watermarks does nothing: a cgroup has none.
func (g *Cgroup) Watermarks(time.Duration, *pressure.Watermarks) error { return nil }

// Sample fills s with the state at now, by CLOCK_MONOTONIC: Total is the least
// limit of the cgroup and its ancestors, Free what is left below the nearest of
// them, Available that with the caches that can be dropped. A cgroup without a
// limit, and one that is gone, has the whole machine's memory free. It allocates
// nothing.
func (g *Cgroup) Sample(now time.Duration, s *pressure.Sample) error {
	*s = pressure.Sample{At: now, Has: pressure.HasAvailable}
	c := g.shared
	l := c.meminfo.lines(c.buf)
	if err := parseMeminfo(&l, &c.mem); err != nil {
		return err
	}
	err := g.sample(s)
	if isGone(err) {
		g.gone = true
		*s = pressure.Sample{At: now, Has: pressure.HasAvailable}
		g.unlimited(s)
		return nil
	}
	return err
}

// isGone tells the answers of files whose cgroup was removed.
func isGone(err error) bool {
	e := sys.ErrnoOf(err)
	return err != nil && (e == sys.ENODEV || e == sys.ENOENT)
}

func (g *Cgroup) unlimited(s *pressure.Sample) {
	m := &g.shared.mem
	s.Memory.Total, s.Memory.Free, s.Memory.Available = m.Total, m.Total, m.Total
}

func (g *Cgroup) sample(s *pressure.Sample) error {
	c := g.shared
	l := c.bounds()
	for _, level := range g.levels {
		if err := level.narrow(c.buf, &l); err != nil {
			return err
		}
	}
	lines := g.stat.lines(c.buf)
	if err := c.stat.parse(&lines); err != nil {
		return err
	}
	c.stat.fill(s, c.pageSize)
	lines = g.events.lines(c.buf)
	if err := parseCgroupEvents(&lines, &s.Counters); err != nil {
		return err
	}
	err := g.stall.read(c.buf, s)
	if err != nil && !errors.Is(err, errStallOff) {
		return err
	}
	if l.limit == unlimited {
		g.unlimited(s)
		return nil
	}
	l.fill(s)
	return nil
}

// unlimited is a limit that is none: "max".
const unlimited = ^uint64(0)

// bounds are what several limits leave together.
type bounds struct {
	limit, room         uint64 // unlimited without any limit
	swapLimit, swapRoom uint64
}

// bounds begins with what the machine has.
func (c *Cgroups) bounds() bounds {
	return bounds{unlimited, unlimited, c.mem.SwapTotal, min(c.mem.SwapFree, c.mem.SwapTotal)}
}

// fill needs the caches of the sample.
func (b *bounds) fill(s *pressure.Sample) {
	m := &s.Memory
	cache := m.ActiveFile + m.InactiveFile
	cache -= min(cache, m.Dirty+m.Writeback)
	m.Total, m.Free = b.limit, min(b.room, b.limit)
	m.Available = min(m.Free+cache+m.SReclaimable, b.limit)
	m.SwapTotal, m.SwapFree = b.swapLimit, min(b.swapRoom, b.swapLimit)
}

// level is the limits of one cgroup, shared by all readers below it.
type level struct {
	path          string
	users         int
	current       file
	max, high     file
	swap, swapMax file // absent where swap is not accounted
}

// level gives the limits of the cgroup at path to one more user.
func (c *Cgroups) level(path string) (*level, error) {
	if l, ok := c.levels[path]; ok {
		l.users++
		return l, nil
	}
	l := &level{path: path, users: 1}
	for name, into := range map[string]*file{
		"memory.current": &l.current, "memory.max": &l.max, "memory.high": &l.high,
		"memory.swap.current": &l.swap, "memory.swap.max": &l.swapMax,
	} {
		var err error
		*into, err = openFile(c.root+path, name)
		if err != nil && !(strings.HasPrefix(name, "memory.swap") && sys.ErrnoOf(err) == sys.ENOENT) {
			l.close()
			return nil, err
		}
	}
	c.levels[path] = l
	return l, nil
}

// leave takes one user away. A cgroup of the same name may be another one by
// then, whose limits stand in the map.
func (c *Cgroups) leave(l *level) {
	if l.users--; l.users > 0 {
		return
	}
	l.close()
	if c.levels[l.path] == l {
		delete(c.levels, l.path)
	}
}

// Renew makes the next Open of the cgroup at path, or of one below it, open the
// limits anew: the cgroup is gone, and another may come under its name.
func (c *Cgroups) Renew(path string) {
	for at := range c.levels {
		if at == path || strings.HasPrefix(at, path+"/") {
			delete(c.levels, at)
		}
	}
}

func (l *level) close() {
	for _, f := range []*file{&l.current, &l.max, &l.high, &l.swap, &l.swapMax} {
		f.close()
	}
}

// narrow takes the limits of one level into account, read anew.
func (l *level) narrow(buf []byte, b *bounds) error {
	current, err := l.current.amount(buf)
	if err != nil {
		return err
	}
	for _, f := range [...]*file{&l.max, &l.high} {
		limit, err := f.amount(buf)
		if err != nil {
			return err
		}
		if limit != unlimited {
			b.limit, b.room = min(b.limit, limit), min(b.room, limit-min(limit, current))
		}
	}
	if !l.swap.isOpen() || !l.swapMax.isOpen() {
		return nil
	}
	swapped, err := l.swap.amount(buf)
	if err != nil {
		return err
	}
	limit, err := l.swapMax.amount(buf)
	if err == nil && limit != unlimited {
		b.swapLimit, b.swapRoom = min(b.swapLimit, limit), min(b.swapRoom, limit-min(limit, swapped))
	}
	return err
}

// amount reads a file of one number, or "max".
func (f *file) amount(buf []byte) (uint64, error) {
	n, e := sys.ReadFull(f.fd.Int(), buf[:64])
	if e != 0 {
		return 0, &sys.OpError{Doing: "read " + f.name, Errno: e}
	}
	text := buf[:n]
	if n > 0 && text[n-1] == '\n' {
		text = text[:n-1]
	}
	if string(text) == "max" {
		return unlimited, nil
	}
	v, ok := number(text)
	if !ok {
		return 0, fmt.Errorf("parse %s: no number that fits in %q", f.name, text)
	}
	return v, nil
}
