package pressure_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lmkd/lmkd/internal/transcript"
	"github.com/lmkd/lmkd/pkg/pressure"
)

// TestTranscripts runs testdata/*.txt. A line is
//
//	# text                  a comment
//	policy PROFILE K=V ...  a new judge: linux, android or cgroup, then fields of Policy
//	set K=V ...             changes the sample, which is kept from line to line
//	+DURATION [K=V ...]     lets time pass, changes the sample and judges it
//	targets MIB:ADJ ...     names the targets of the minfree strategy
//	killed                  tells the judge that its verdict led to a kill
//	explain                 asks for the last verdict's explanation
//
// What the judge says follows, indented, and is compared. K is a field of
// Policy, Memory, Counters, Watermarks, Stall or Zram, or one of event, kswapd, direct
// (for how long a task has been in direct reclaim), events (whether reclaim
// events are known) and has. Numbers take KiB, MiB, GiB and +N, which adds to
// what was there.
func TestTranscripts(t *testing.T) {
	transcript.Run(t, func() transcript.Line { return new(scene).line })
}

// scene is a transcript under way.
type scene struct {
	policy pressure.Policy
	state  pressure.State
	sample pressure.Sample
	in     pressure.Input
	direct time.Duration
	last   pressure.Verdict
}

func (s *scene) line(out *transcript.Out, words []string) error {
	switch words[0] {
	case "policy":
		*s = scene{policy: map[string]pressure.Policy{"linux": pressure.Linux(), "android": pressure.Android(), "cgroup": pressure.Cgroup()}[words[1]]}
		s.sample.Has = pressure.HasAvailable | pressure.HasWatermarks | pressure.HasStall | pressure.HasRefault
		if s.policy.Cgroup {
			s.sample.Has &^= pressure.HasWatermarks
		}
		return transcript.AssignAll(words[2:], &s.policy)
	case "killed":
		s.state.Killed(&s.policy, &s.last)
		return nil
	case "explain":
		for _, l := range s.last.Explain(&s.policy) {
			out.Printf("%s", l)
		}
		return nil
	case "set":
		return s.set(words[1:])
	case "targets":
		return s.retarget(words[1:])
	}
	return s.judge(out, words)
}

func (s *scene) judge(out *transcript.Out, words []string) error {
	step, err := time.ParseDuration(words[0])
	if err != nil {
		return err
	}
	s.sample.At += step
	s.in.Event = pressure.LevelNone
	if err := s.set(words[1:]); err != nil {
		return err
	}
	s.in.Sample = &s.sample
	if s.in.Reclaim.DirectSince = 0; s.direct > 0 {
		s.in.Reclaim.DirectSince = s.sample.At - s.direct
	}
	s.last = pressure.Judge(&s.policy, &s.state, &s.in)
	f := &s.last.Facts
	switch {
	case s.last.Act:
		out.Printf("%v (%d), min adj %d: %s", s.last.Reason, s.last.Reason, s.last.MinAdj, s.last.Because(&s.policy))
	case !f.Pressed:
		out.Printf("nothing: no pressure")
	case f.Plenty:
		out.Printf("nothing: plenty is available")
	default:
		out.Printf("nothing: no rule holds")
	}
	switch s.policy.Strategy {
	case pressure.ByMinfree:
		out.Printf("| spare %dMiB, file cache %dMiB", f.Spare>>20, f.FileCache>>20)
		return nil
	case pressure.ByLevel:
		out.Printf("| %v counts as %v, %d%% of what is used in memory, at most %dMiB free at a low event", s.in.Event, f.Level, f.Used, f.LowFree>>20)
		return nil
	case pressure.ByReclaim:
	}
	out.Printf("| %v, thrashing %d of %d, free swap %d of %d MiB, swap util %d, armed %v", f.Mark,
		f.Thrashing, f.Limit, f.SwapFree>>20, f.SwapTotal>>20, f.SwapUtil, f.CheckCache)
	return nil
}

func (s *scene) retarget(words []string) error {
	s.in.Targets = pressure.Targets{}
	for i, w := range words {
		t := &s.in.Targets[i]
		if _, err := fmt.Sscanf(w, "%d:%d", &t.Bytes, &t.MinAdj); err != nil {
			return err
		}
		t.Bytes <<= 20
	}
	return nil
}

// set changes the sample, or what is known beside it.
func (s *scene) set(words []string) error {
	for _, word := range words {
		key, value, _ := strings.Cut(word, "=")
		var err error
		switch key {
		case "event":
			s.in.Event, err = parseLevel(value)
		case "kswapd":
			s.in.Reclaim.Kswapd, err = strconv.ParseBool(value)
		case "direct":
			s.direct, err = time.ParseDuration(value)
			s.in.Reclaim.Direct = s.direct > 0
		case "events":
			s.in.Reclaim.Known, err = strconv.ParseBool(value)
		case "has":
			var has uint64
			has, err = strconv.ParseUint(value, 0, 32)
			s.sample.Has = pressure.Has(has)
		default:
			err = transcript.Assign(word, &s.sample.Memory, &s.sample.Counters, &s.sample.Watermarks, &s.sample.Stall, &s.sample.Zram)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func parseLevel(name string) (pressure.Level, error) {
	for l := pressure.LevelNone; l <= pressure.LevelCritical; l++ {
		if l.String() == name {
			return l, nil
		}
	}
	return 0, fmt.Errorf("no level %q", name)
}
