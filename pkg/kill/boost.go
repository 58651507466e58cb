package kill

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/lmkd/lmkd/internal/sys"
)

// Boost is what was lifted to let a process die sooner. The process runs no
// code of its own any more, so that none of it can be abused; what would
// outlive it is in Settings, to be undone when it is gone.
type Boost struct {
	Step
	Threads  int       `json:"threads"`  // threads whose class, nice value or processors were lifted
	Refused  int       `json:"refused"`  // threads that could not be
	Thawed   bool      `json:"thawed"`   // it was moved out of a frozen v1 cgroup; it does not come back
	Settings []Setting `json:"settings"` // changed files of its cgroups
	Errors   []string  `json:"errors"`   // what was refused, a sentence each
}

// Setting is a changed file of a cgroup, and the value that it had: enough to
// undo it from a journal, too.
type Setting struct {
	Path string `json:"path"`
	Old  string `json:"old"`
	New  string `json:"new"`
}

// Lift lifts what slows the death of v. It must only be called once v is dying:
// a living process would get a priority that nobody gave it.
//
//   - Its threads get the time-sharing class at nice -20, whatever they had
//     unless that was real-time, and every processor that their cpuset has.
//   - It is moved out of a frozen v1 cgroup, alone: the others stay frozen. A
//     frozen v2 cgroup lets it die.
//   - A CPU quota, and an idle class, of the cgroup that it is in itself.
func (v *Victim) Lift() Boost {
	var b Boost
	b.Step = step()
	b.liftThreads(v)
	b.liftGroups(v)
	b.Step = b.done(0)
	return b
}

// Undo gives every file back the value that it had, unless somebody else has
// changed it since, or the cgroup is gone. Undoing twice does nothing more.
func (b *Boost) Undo() error {
	var errs []error
	for _, s := range b.Settings {
		errs = append(errs, s.Undo())
	}
	b.Settings = nil
	return errors.Join(errs...)
}

// Undo gives the file the old value back, if it still has the new one.
func (s Setting) Undo() error {
	now, e := readFile(s.Path)
	if e == sys.ENOENT || e == sys.ENODEV || e == 0 && now != s.New {
		return nil
	}
	if e == 0 {
		e = writeFile(s.Path, s.Old)
	}
	if e != 0 && !errors.Is(e, os.ErrNotExist) {
		return &opError{"write " + s.Old + " back to " + s.Path, e}
	}
	return nil
}

// liftThreads gives every thread a better class. Threads of a dying process
// only ever become fewer.
func (b *Boost) liftThreads(v *Victim) {
	if !b.Taken() {
		b.Step = step()
	}
	all := sys.MakeCPUSet()
	_ = eachNumber(v.dir.Int(), "task", func(tid int) bool {
		switch e := v.liftThread(tid, &all); e {
		case 0:
			b.Threads++
		case sys.ESRCH: // it has ended
		default:
			b.Refused++
			b.refuse("lift the class of thread "+strconv.Itoa(tid), e)
		}
		return true
	})
	b.Step = b.done(0)
}

// liftThread lifts one. If the thread ended meanwhile, its number may have gone
// to a stranger's: then that one gets back what it had.
func (v *Victim) liftThread(tid int, all *sys.CPUSet) sys.Errno {
	had, e := sys.GetSched(tid)
	if e != 0 {
		return e
	}
	var cpus sys.CPUSet
	e = sys.GetCPUs(tid, &cpus)
	if e != 0 {
		return e
	}
	if p := had.Policy(); p == sys.SchedOther || p == sys.SchedBatch || p == sys.SchedIdle {
		e = sys.SetSched(tid, sys.NormalSched(ReaperNice))
	}
	if e == 0 {
		e = sys.SetCPUs(tid, all)
	}
	if _, gone := readStat(v.dir.Int(), "task/"+strconv.Itoa(tid)+"/stat"); gone != 0 {
		_ = sys.SetSched(tid, had)
		_ = sys.SetCPUs(tid, &cpus)
		return sys.ESRCH
	}
	return e
}

// liftGroups thaws the victim and takes quotas away.
func (b *Boost) liftGroups(v *Victim) {
	b.thaw(v)
	for _, file := range lifted {
		b.lift(v.places.cpu, file.name, file.free)
	}
	b.Step = b.done(0)
}

// thaw moves the victim alone to the root of v1's freezer: the kernel thaws who
// arrives in a cgroup that is not frozen. Nothing else hangs on that hierarchy
// but freezing, and there is nothing to undo.
func (b *Boost) thaw(v *Victim) {
	if !frozenV1(v.places.freezer) || v.Gone() {
		return
	}
	e := writeFile(filepath.Join(v.places.v1Freezer, "cgroup.procs"), strconv.Itoa(v.p.PID()))
	b.Thawed = e == 0
	if e != 0 {
		b.refuse("move "+strconv.Itoa(v.p.PID())+" out of the frozen "+v.places.freezer, e)
	}
}

// lifted are the files of a CPU cgroup that hold a dying process up, and the
// values that do not. A quota's period stays.
var lifted = [...]struct{ name, free string }{
	{"cpu.max", "max"},         // v2: QUOTA PERIOD
	{"cpu.cfs_quota_us", "-1"}, // v1
	{"cpu.idle", "0"},          // v2, and v1 since 5.15
}

// lift frees one file of the cgroup dir, if it is there and holds up.
func (b *Boost) lift(dir, name, free string) {
	if dir == "" {
		return
	}
	path := filepath.Join(dir, name)
	old, e := readFile(path)
	if e != 0 {
		return // this kernel or this hierarchy has no such file
	}
	if word, _, _ := strings.Cut(old, " "); word == free {
		return
	}
	if e := writeFile(path, free); e != 0 {
		b.refuse("write "+free+" to "+path, e)
		return
	}
	now, _ := readFile(path) // as the kernel writes it: "max 100000"
	b.Settings = append(b.Settings, Setting{Path: path, Old: old, New: now})
}

func (b *Boost) refuse(doing string, e sys.Errno) {
	const most = 8 // of a thousand threads
	if len(b.Errors) < most {
		b.Errors = append(b.Errors, doing+": "+e.Error())
	}
}
