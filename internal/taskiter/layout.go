package taskiter

import (
	"fmt"
	"math"

	"github.com/cilium/ebpf/btf"
)

// layout is where this kernel keeps what the program reads: byte offsets.
type layout struct {
	pid, tgid, flags, mm, signal int16 // of task_struct
	adj                          int16 // of signal_struct
	counts, stride               int16 // of mm_struct: the first of four counters, and from one to the next
	delayed                      bool  // the counters are percpu_counter (Linux 6.2)
}

// readLayout finds the fields in the kernel's types.
func readLayout(kernel *btf.Spec) (l layout, err error) {
	for _, f := range []struct {
		into         *int16
		name, member string
	}{
		{&l.pid, "task_struct", "pid"},
		{&l.tgid, "task_struct", "tgid"},
		{&l.flags, "task_struct", "flags"},
		{&l.mm, "task_struct", "mm"},
		{&l.signal, "task_struct", "signal"},
		{&l.adj, "signal_struct", "oom_score_adj"},
	} {
		if *f.into, _, err = find(kernel, f.name, f.member); err != nil {
			return layout{}, err
		}
	}
	return l, l.readCounters(kernel)
}

// readCounters finds mm_struct's rss_stat: an array of percpu_counter since
// Linux 6.2, before it a struct with an array of longs.
func (l *layout) readCounters(kernel *btf.Spec) error {
	at, kind, err := find(kernel, "mm_struct", "rss_stat")
	if err != nil {
		return err
	}
	if _, l.delayed = btf.UnderlyingType(kind).(*btf.Array); !l.delayed {
		count, _, err := find(kernel, "mm_rss_stat", "count")
		l.counts, l.stride = at+count, 8
		return err
	}
	count, _, err := find(kernel, "percpu_counter", "count")
	if err != nil {
		return err
	}
	var counter *btf.Struct
	if err := kernel.TypeByName("percpu_counter", &counter); err != nil {
		return fmt.Errorf("struct percpu_counter: %w", err)
	}
	l.counts, l.stride = at+count, int16(counter.Size)
	return nil
}

// find gives the offset and the type of a member of a struct of the kernel.
func find(kernel *btf.Spec, name, member string) (int16, btf.Type, error) {
	var s *btf.Struct
	if err := kernel.TypeByName(name, &s); err != nil {
		return 0, nil, fmt.Errorf("struct %s: %w", name, err)
	}
	offset, kind, ok := within(s.Members, member)
	if !ok || offset > math.MaxInt16-1024 {
		return 0, nil, fmt.Errorf("struct %s: no member %s within reach", name, member)
	}
	return int16(offset), kind, nil
}

// within looks into members without a name, too.
func within(members []btf.Member, name string) (offset uint32, kind btf.Type, ok bool) {
	for _, m := range members {
		if m.Name == name {
			return m.Offset.Bytes(), m.Type, true
		}
		if m.Name != "" {
			continue
		}
		var inner []btf.Member
		switch t := btf.UnderlyingType(m.Type).(type) {
		case *btf.Struct:
			inner = t.Members
		case *btf.Union:
			inner = t.Members
		}
		if offset, kind, ok = within(inner, name); ok {
			return m.Offset.Bytes() + offset, kind, true
		}
	}
	return 0, nil, false
}
