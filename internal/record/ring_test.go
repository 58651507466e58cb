package record

import (
	"bytes"
	"fmt"
	"reflect"
	"testing"
	"time"
	"unsafe"

	"github.com/lmkd/lmkd/internal/engine"
	"github.com/lmkd/lmkd/pkg/pressure"
	"github.com/lmkd/lmkd/pkg/victim"
)

// fillIn gives every field below v a value of its own that is not zero.
func fillIn(v reflect.Value, n *int) {
	*n++
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(*n % 100))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(*n % 200))
	case reflect.Struct:
		for i := range v.NumField() {
			fillIn(v.Field(i), n)
		}
	case reflect.Array:
		for i := range v.Len() {
			fillIn(v.Index(i), n)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 3, 3))
		for i := range v.Len() {
			fillIn(v.Index(i), n)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fillIn(v.Elem(), n)
	}
}

// fullStep is a step in which every field that a record keeps is set.
func fullStep() (*engine.Input, *engine.Output) {
	in, out, n := &engine.Input{}, &engine.Output{}, 0
	fillIn(reflect.ValueOf(in).Elem(), &n)
	fillIn(reflect.ValueOf(out).Elem(), &n)
	in.Kind, in.Event = engine.Listed, pressure.LevelCritical
	for i := range in.Candidates {
		in.Candidates[i].Comm = [victim.CommSize]byte{}
		in.Candidates[i].SetName([]byte("\xff) Z\\1 (\n\x00é"))
		in.Candidates[i].Effect, in.Candidates[i].Death = victim.Last, victim.AsTree
	}
	for i := range out.Actions {
		do := []engine.Do{engine.List, engine.Kill, engine.Wait}[i]
		out.Actions[i].Do = do
		if do != engine.List {
			out.Actions[i].Query = victim.Query{}
		}
	}
	for i := range out.Ranking.Places {
		out.Ranking.Places[i].Excluded, out.Ranking.Places[i].By = victim.IsDying, victim.ByYouth
	}
	out.Note, out.Level = engine.KillDone, pressure.LevelMedium
	out.Verdict.Reason, out.Verdict.Event = pressure.LowAvailable, pressure.LevelMedium
	out.Outcome.Verdict = *out.Verdict
	out.Outcome.Victim.Detach()
	out.Outcome.Victim.Comm = [victim.CommSize]byte{}
	out.Outcome.Victim.SetName([]byte("leak"))
	out.Outcome.Victim.Effect, out.Outcome.Victim.Death = victim.First, victim.AsTree
	return in, out
}

func TestRingKeepsEveryField(t *testing.T) {
	in, out := fullStep()
	r := NewRing(Size{Entries: 4})
	r.Append(7, in, out)
	c := cursor{ring: r}
	c.each(func(e *Entry) {
		if e.Seq != 1 || e.Lost != 0 || e.Domain != 7 || e.Cut != 0 {
			t.Errorf("seq %d, lost %d, domain %d, cut %d", e.Seq, e.Lost, e.Domain, e.Cut)
		}
		if !reflect.DeepEqual(&e.In, in) {
			t.Errorf("input\n got %+v\nwant %+v", e.In, in)
		}
		if !reflect.DeepEqual(&e.Out, out) {
			t.Errorf("output\n got %+v\nwant %+v", e.Out, out)
		}
	})
	if c.seq != 1 {
		t.Fatalf("%d entries read, want 1", c.seq)
	}
}

func TestTraceKeepsEveryField(t *testing.T) {
	in, out := fullStep()
	r := NewRing(Size{})
	r.Append(7, in, out)
	n := 0
	header := Header{Version: "v1", Kernel: "6.12", BootID: "b", PageSize: 4096, Domains: []Domain{{ID: 7, Name: "machine"}}}
	fillIn(reflect.ValueOf(&header.Domains[0].Policy).Elem(), &n)
	for i := range header.Domains[0].Policy.Victim.Rules {
		header.Domains[0].Policy.Victim.Rules[i].Match = victim.Match{} // applied before the record, and not in it
	}
	var file bytes.Buffer
	w := NewTraceWriter(&file, &header, func(err error) { t.Fatal(err) })
	(&cursor{ring: r}).each(w.Record)
	w.Flush()

	rd, err := NewReader(&file)
	if err != nil {
		t.Fatal(err)
	}
	header.Format = Format
	if !reflect.DeepEqual(rd.Header, header) {
		t.Errorf("header\n got %+v\nwant %+v", rd.Header, header)
	}
	e, err := rd.Next()
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(&e.In, in) {
		t.Errorf("input\n got %+v\nwant %+v", e.In, in)
	}
	if !reflect.DeepEqual(&e.Out, out) {
		t.Errorf("output\n got %+v\nwant %+v", e.Out, out)
	}
}

// TestRingOverwrites: the newest entries stay, and the gap is told.
func TestRingOverwrites(t *testing.T) {
	r := NewRing(Size{Entries: 4})
	for i := range 11 {
		r.Append(0, &engine.Input{At: time.Duration(i + 1)}, &engine.Output{})
	}
	var got []string
	c := cursor{ring: r}
	read := func() {
		c.each(func(e *Entry) { got = append(got, fmt.Sprintf("%d@%d-%d", e.Seq, e.In.At, e.Lost)) })
	}
	read()
	r.Append(0, &engine.Input{At: 12}, &engine.Output{})
	read()
	want := "[8@8-7 9@9-0 10@10-0 11@11-0 12@12-0]"
	if fmt.Sprint(got) != want {
		t.Errorf("read %v, want %v", got, want)
	}
}

// TestRingPassesOverTheReader: entries come while the reader holds one; it is
// left alone, and nothing but what the ring has no room for is lost.
func TestRingPassesOverTheReader(t *testing.T) {
	r := NewRing(Size{Entries: 4})
	append_ := func(n int) {
		for range n {
			r.Append(0, &engine.Input{At: time.Duration(r.seq + 1)}, &engine.Output{})
		}
	}
	append_(3)
	var got []string
	c := cursor{ring: r}
	c.each(func(e *Entry) {
		if e.Seq == 2 {
			append_(5)
			if e.In.At != 2 {
				t.Errorf("the entry under the reader's eyes became %d", e.In.At)
			}
		}
		got = append(got, fmt.Sprintf("%d@%d-%d", e.Seq, e.In.At, e.Lost))
	})
	want := "[1@1-0 2@2-0 6@6-3 7@7-0 8@8-0]"
	if fmt.Sprint(got) != want {
		t.Errorf("read %v, want %v", got, want)
	}
}

// TestRingTakesTablesBack: the newest tables stay whole, an older entry says
// that it lost its own.
func TestRingTakesTablesBack(t *testing.T) {
	r := NewRing(Size{Entries: 16, Tables: 2, Outcomes: 1, Candidates: 2, Texts: 6})
	for i := range 4 {
		p := []victim.Process{{PID: int32(10 + i), Cmdline: []byte("abcd")}, {Cmdline: []byte("efgh")}, {}}
		n := 2 + i/3
		r.Append(0, &engine.Input{Kind: engine.Listed, Candidates: p[:n]}, &engine.Output{Outcome: &engine.Outcome{ID: uint64(i)}})
	}
	var got []string
	(&cursor{ring: r}).each(func(e *Entry) {
		line := fmt.Sprintf("cut %d", e.Cut)
		for _, p := range e.In.Candidates {
			line += fmt.Sprintf(" %d:%s", p.PID, p.Cmdline)
		}
		got = append(got, line)
	})
	want := []string{
		fmt.Sprintf("cut %d", CutTable|CutTexts|CutOutcome),
		fmt.Sprintf("cut %d", CutTable|CutTexts|CutOutcome),
		fmt.Sprintf("cut %d 12:abcd 0:ef", CutTexts|CutOutcome),
		fmt.Sprintf("cut %d 13:abcd 0:ef", CutTexts|CutCandidates),
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("read %q\nwant %q", got, want)
	}
}

// TestRingRace: a producer that never waits and a reader that is too slow. What
// is read is whole and in order, and nothing is lost without being counted.
func TestRingRace(t *testing.T) {
	const steps = 20000
	r := NewRing(Size{Entries: 8, Tables: 2, Outcomes: 2, Candidates: 3})
	g := &checker{t: t}
	p := Publish(r, g)
	candidates := make([]victim.Process, 3)
	for i := range steps {
		n := uint64(i + 1)
		in := engine.Input{At: time.Duration(n), Kind: engine.Sampled, Sample: &pressure.Sample{At: time.Duration(n)}}
		out := engine.Output{Outcome: &engine.Outcome{ID: n}}
		if i%2 == 0 {
			in.Kind, in.Candidates = engine.Listed, candidates
			for j := range candidates {
				candidates[j].RSS = n
			}
		}
		r.Append(0, &in, &out)
		r.Notify()
	}
	p.Close()
	if g.last != steps {
		t.Errorf("the newest entry read is %d, want %d", g.last, steps)
	}
	if g.read+g.lost != steps {
		t.Errorf("%d read and %d lost, want %d together", g.read, g.lost, steps)
	}
}

type checker struct {
	t                *testing.T
	last, read, lost uint64
}

func (g *checker) Record(e *Entry) {
	if e.Seq != g.last+e.Lost+1 {
		g.t.Errorf("seq %d after %d with %d lost", e.Seq, g.last, e.Lost)
	}
	g.last, g.read, g.lost = e.Seq, g.read+1, g.lost+e.Lost
	bad := uint64(e.In.At) != e.Seq || e.In.Sample.At != e.In.At
	if e.Out.Outcome != nil {
		bad = bad || e.Out.Outcome.ID != e.Seq
	} else {
		bad = bad || e.Cut&CutOutcome == 0
	}
	for i := range e.In.Candidates {
		bad = bad || e.In.Candidates[i].RSS != e.Seq
	}
	if e.In.Kind == engine.Listed && len(e.In.Candidates) == 0 {
		bad = bad || e.Cut&CutTable == 0
	}
	if bad {
		g.t.Errorf("entry %d is torn: %+v", e.Seq, e)
	}
}

func TestNotifyOnlyWhenThereIsNews(t *testing.T) {
	r := NewRing(Size{Entries: 4})
	r.Notify()
	if len(r.wake) != 0 {
		t.Error("an empty ring woke the publisher")
	}
	r.Append(0, &engine.Input{}, &engine.Output{})
	r.Notify()
	r.Notify()
	<-r.wake
	r.Notify()
	if len(r.wake) != 0 {
		t.Error("the publisher was woken twice for one entry")
	}
}

func TestAppendDoesNotAllocate(t *testing.T) {
	in, out := fullStep()
	r := NewRing(Size{})
	if n := testing.AllocsPerRun(1000, func() { r.Append(0, in, out); r.Notify() }); n != 0 {
		t.Errorf("%v allocations a step", n)
	}
}

func TestDefaultSizeIsSmall(t *testing.T) {
	d := DefaultSize
	perTable := d.Candidates*int(unsafe.Sizeof(victim.Process{})+unsafe.Sizeof(victim.Place{})) + d.Texts
	size := d.Entries*int(unsafe.Sizeof(slot{})) + d.Tables*perTable + d.Outcomes*int(unsafe.Sizeof(engine.Outcome{}))
	t.Logf("slot %d B, table %d B, all %d B", unsafe.Sizeof(slot{}), perTable, size)
	if size > 2<<20 {
		t.Errorf("the ring takes %d bytes", size)
	}
}

func BenchmarkAppend(b *testing.B) {
	in, out := fullStep()
	poll := engine.Input{Kind: engine.Sampled, Sample: in.Sample, Reclaim: in.Reclaim}
	quiet := engine.Output{Actions: out.Actions[2:], Verdict: out.Verdict}
	table := make([]victim.Process, 32)
	for i := range table {
		table[i] = in.Candidates[0]
	}
	in.Candidates = table
	for name, step := range map[string]struct {
		in  *engine.Input
		out *engine.Output
	}{"poll": {&poll, &quiet}, "kill": {in, out}} {
		b.Run(name, func(b *testing.B) {
			r := NewRing(Size{})
			b.ReportAllocs()
			for b.Loop() {
				r.Append(0, step.in, step.out)
			}
		})
	}
}
