package record

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lmkd/lmkd/internal/engine"
	"github.com/lmkd/lmkd/internal/transcript"
	"github.com/lmkd/lmkd/pkg/pressure"
	"github.com/lmkd/lmkd/pkg/victim"
)

// story drives the real engine through all that can be told, and appends every
// step as the loop does.
type story struct {
	policy engine.Policy
	state  *engine.State
	ring   *Ring
	now    time.Duration
	sample pressure.Sample
	table  []victim.Process
}

func newStory(policy engine.Policy) *story {
	s := &story{policy: policy, state: engine.NewState(8), ring: NewRing(Size{}), now: time.Hour}
	s.sample.Has = pressure.HasAvailable | pressure.HasWatermarks | pressure.HasStall
	s.sample.Memory = pressure.Memory{Total: 464 << 20, Free: 100 << 20, Available: 240 << 20}
	s.sample.Watermarks = pressure.Watermarks{Min: 2 << 20, Low: 4 << 20, High: 6 << 20}
	s.process("\xff) Z 1 (\n", 200, 300<<20)
	s.process("editor", 100, 20<<20)
	return s
}

func (s *story) process(name string, pid int32, anon uint64) {
	p := victim.Process{PID: pid, UID: 1000, StartTime: uint64(pid), RSS: anon, RssAnon: anon, Flag: victim.Detailed}
	p.SetName([]byte(name))
	p.Cmdline = []byte(name + "\x00--all")
	s.table = append(s.table, p)
}

// step lets 1ms pass and hands in one input.
func (s *story) step(in engine.Input) {
	s.now += time.Millisecond
	in.At = s.now
	switch in.Kind {
	case engine.Sampled:
		s.sample.At = s.now
		copied := s.sample
		in.Sample = &copied
	case engine.Listed:
		in.Candidates = s.table
		in.Listing = engine.Listing{Seen: 97, Refused: [16]int{victim.IsKernel: 60, victim.IsUnkillable: 2}, Detailed: len(s.table), Took: 900 * time.Microsecond}
	}
	s.ring.Append(0, &in, engine.Step(&s.policy, s.state, &in))
}

// look hands in a sample with so much available, in MiB.
func (s *story) look(available uint64, kswapd bool) {
	s.sample.Memory.Available, s.sample.Memory.Free = available<<20, min(available, 3)<<20
	s.step(engine.Input{Kind: engine.Sampled, Reclaim: pressure.Reclaim{Known: true, Kswapd: kswapd}})
}

// whole is a story with everything in it.
func whole() *story {
	s := newStory(engine.Linux())
	s.step(engine.Input{Kind: engine.Started})
	s.look(240, false)
	s.step(engine.Input{Kind: engine.Woken, Source: engine.FromKswapd | engine.FromPSI, Event: pressure.LevelMedium})
	s.look(60, true)
	s.step(engine.Input{Kind: engine.Elapsed})
	s.look(20, true)
	s.step(engine.Input{Kind: engine.Listed})
	s.step(engine.Input{Kind: engine.Signalled, Took: 41 * time.Microsecond})
	s.step(engine.Input{Kind: engine.Reaped, Took: 8123 * time.Microsecond})
	s.step(engine.Input{Kind: engine.Exited})
	s.look(320, true)
	// A second one can not be signalled, and a third does not die.
	s.table = nil
	s.process("gone", 300, 90<<20)
	s.process("stuck", 301, 80<<20)
	s.now += 9 * time.Millisecond
	s.step(engine.Input{Kind: engine.Elapsed})
	s.look(19, true)
	s.step(engine.Input{Kind: engine.Listed})
	s.step(engine.Input{Kind: engine.Signalled, Errno: 3, Took: 12 * time.Microsecond})
	s.step(engine.Input{Kind: engine.Elapsed})
	s.look(18, true)
	s.step(engine.Input{Kind: engine.Listed})
	s.step(engine.Input{Kind: engine.Signalled, Took: 30 * time.Microsecond})
	s.step(engine.Input{Kind: engine.Reaped, Errno: 11, Took: 200 * time.Millisecond})
	s.now += 2 * time.Second
	s.step(engine.Input{Kind: engine.Elapsed})
	// Nobody is left, twice; the kernel's killer is quicker; memory can not be read.
	s.look(17, true)
	s.step(engine.Input{Kind: engine.Listed})
	s.step(engine.Input{Kind: engine.Woken, Source: engine.FromOOM})
	s.sample.Counters.OOMKill++
	s.look(16, true)
	s.step(engine.Input{Kind: engine.Listed})
	s.step(engine.Input{Kind: engine.Elapsed})
	s.step(engine.Input{Kind: engine.Sampled, Errno: 5})
	s.step(engine.Input{Kind: engine.Elapsed})
	s.step(engine.Input{Kind: engine.Sampled, Errno: 5})
	s.step(engine.Input{Kind: engine.Elapsed})
	s.look(200, false)
	// A reclaim that answers after the end.
	s.process("late", 400, 70<<20)
	s.step(engine.Input{Kind: engine.Woken, Source: engine.FromDirect})
	s.look(15, true)
	s.step(engine.Input{Kind: engine.Listed})
	s.step(engine.Input{Kind: engine.Signalled, Took: 20 * time.Microsecond})
	s.step(engine.Input{Kind: engine.Exited})
	s.look(14, false)
	s.step(engine.Input{Kind: engine.Reaped, Errno: 3, Took: 5 * time.Microsecond})
	return s
}

func (s *story) header() *Header {
	return &Header{Version: "v0.1", Kernel: "6.12", BootID: "b007", PageSize: 4096, Domains: []Domain{{Name: "machine", Policy: s.policy}}}
}

// tell publishes the story to sinks.
func (s *story) tell(sinks ...Sink) {
	s.ring.Notify()
	Publish(s.ring, sinks...).Close()
}

func (s *story) trace(t testing.TB) []byte {
	var file bytes.Buffer
	s.tell(NewTraceWriter(&file, s.header(), func(err error) { t.Fatal(err) }))
	return file.Bytes()
}

func TestLog(t *testing.T) {
	for name, opt := range map[string]LogOptions{"log": {}, "log-debug": {Debug: true}, "log-dry-run": {DryRun: true}} {
		t.Run(name, func(t *testing.T) {
			s := whole()
			opt.Domains = s.header().Domains
			var lines strings.Builder
			s.tell(NewLog(opt, func(line string) {
				if strings.ContainsAny(line, "\n\x00") {
					t.Errorf("a line is not one: %q", line)
				}
				fmt.Fprintln(&lines, line)
			}))
			transcript.Golden(t, "testdata/"+name+".txt", lines.String())
		})
	}
}

func TestTimeline(t *testing.T) {
	var lines strings.Builder
	rd, err := NewReader(bytes.NewReader(whole().trace(t)))
	if err != nil {
		t.Fatal(err)
	}
	timeline := NewTimeline(&rd.Header)
	steps, err := Replay(rd, func(_ int, e *Entry) {
		if m := timeline.Moment(e); !Quiet(e) {
			fmt.Fprintln(&lines, m)
		}
	})
	fmt.Fprintf(&lines, "%d steps, error %v\n", steps, err)
	transcript.Golden(t, "testdata/timeline.txt", lines.String())
}
