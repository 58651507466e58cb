package lmkproto

import (
	"encoding/hex"
	"reflect"
	"strings"
	"testing"
)

// packet turns hexadecimal digits into bytes; blanks are for the reader.
func packet(t testing.TB, digits string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// requests are packets as Android's framework sends them, byte for byte.
var requests = []struct {
	name, bytes string
	want        Request
	rewritten   string // what Append makes of it, where that differs
}{
	{
		name:  "TARGET of two levels",
		bytes: "00000000 00004800 00000000 0000ac80 000003b6",
		want:  Request{Command: Target, Count: 2, Levels: [6]Level{{18432, 0}, {44160, 950}}},
	},
	{
		name:  "TARGET of none",
		bytes: "00000000",
		want:  Request{Command: Target},
	},
	{
		name:      "PROCPRIO of 3 words",
		bytes:     "00000001 00001092 00002734 00000384",
		want:      Request{Command: ProcPrio, Count: 1, Procs: [3]Proc{{PID: 4242, UID: 10036, Adj: 900}}},
		rewritten: "00000001 00001092 00002734 00000384 00000000",
	},
	{
		name:  "PROCPRIO of 4 words, a service below 0",
		bytes: "00000001 00001092 00002734 fffffce0 00000001",
		want:  Request{Command: ProcPrio, Count: 1, Procs: [3]Proc{{PID: 4242, UID: 10036, Adj: -800, Type: Service}}},
	},
	{
		name:  "PROCPRIO of 5 words",
		bytes: "00000001 00001092 00002734 00000064 00000000 00000001",
		want:  Request{Command: ProcPrio, Count: 1, Procs: [3]Proc{{PID: 4242, UID: 10036, Adj: 100, ForLmkdOnly: true}}},
	},
	{
		name:  "PROCREMOVE",
		bytes: "00000002 00001092",
		want:  Request{Command: ProcRemove, PID: 4242},
	},
	{
		name:  "PROCPURGE",
		bytes: "00000003",
		want:  Request{Command: ProcPurge},
	},
	{
		name:  "GETKILLCNT",
		bytes: "00000004 fffffc18 000003e8",
		want:  Request{Command: GetKillCount, MinAdj: -1000, MaxAdj: 1000},
	},
	{
		name:  "SUBSCRIBE to stat",
		bytes: "00000005 00000001",
		want:  Request{Command: Subscribe, Event: StatEvent},
	},
	{
		name:  "UPDATE_PROPS",
		bytes: "00000007",
		want:  Request{Command: UpdateProps},
	},
	{
		name:  "PROCS_PRIO, three records of 4 words",
		bytes: "0000000b 00000065 00002711 00000384 00000000 00000066 00002712 000003b6 00000000 00000067 00002713 00000000 00000001",
		want: Request{Command: ProcsPrio, Count: 3, Procs: [3]Proc{
			{PID: 101, UID: 10001, Adj: 900}, {PID: 102, UID: 10002, Adj: 950}, {PID: 103, UID: 10003, Type: Service},
		}},
	},
	{
		name: "PROCS_PRIO, three records of 5 words",
		bytes: "0000000b 00000065 00002711 00000384 00000000 00000000 00000066 00002712 000003b6 00000000 00000001" +
			"00000067 00002713 00000000 00000001 00000000",
		want: Request{Command: ProcsPrio, Count: 3, Procs: [3]Proc{
			{PID: 101, UID: 10001, Adj: 900}, {PID: 102, UID: 10002, Adj: 950, ForLmkdOnly: true}, {PID: 103, UID: 10003, Type: Service},
		}},
	},
	{
		name:      "PROCS_PRIO, one record of 5 words that asks for nothing special",
		bytes:     "0000000b 00000065 00002711 00000384 00000000 00000000",
		want:      Request{Command: ProcsPrio, Count: 1, Procs: [3]Proc{{PID: 101, UID: 10001, Adj: 900}}},
		rewritten: "0000000b 00000065 00002711 00000384 00000000",
	},
	{
		name:  "BOOT_COMPLETED",
		bytes: "0000000a",
		want:  Request{Command: BootCompleted},
	},
}

func TestRequests(t *testing.T) {
	for _, tt := range requests {
		t.Run(tt.name, func(t *testing.T) {
			var r Request
			if err := r.Decode(packet(t, tt.bytes)); err != nil {
				t.Fatal(err)
			}
			if r != tt.want {
				t.Errorf("decoded %+v, want %+v", r, tt.want)
			}
			want := tt.rewritten
			if want == "" {
				want = tt.bytes
			}
			if got := hex.EncodeToString(r.Append(nil)); got != strings.ReplaceAll(want, " ", "") {
				t.Errorf("encoded %s, want %s", got, want)
			}
		})
	}
}

func TestBadRequests(t *testing.T) {
	for bytes, want := range map[string]string{
		"":                                    "a packet of 0 bytes has no command",
		"000000":                              "a packet of 3 bytes has no command",
		"00000003 00":                         "LMK_PROCPURGE: 5 bytes are no whole number of words",
		"00000000 00000001":                   "LMK_TARGET: 1 words after the command, want up to 6 pairs of them",
		"00000000" + strings.Repeat("00", 56): "LMK_TARGET: 14 words after the command, want up to 6 pairs of them",
		"00000001 00000001 00000001":          "LMK_PROCPRIO: 2 words after the command, want 3 to 5",
		"00000001" + strings.Repeat("00", 24): "LMK_PROCPRIO: 6 words after the command, want 3 to 5",
		"00000002":                            "LMK_PROCREMOVE: 0 words after the command, want 1",
		"00000003 00000001":                   "LMK_PROCPURGE: 1 words after the command, want 0",
		"00000004 00000000":                   "LMK_GETKILLCNT: 1 words after the command, want 2",
		"00000005":                            "LMK_SUBSCRIBE: 0 words after the command, want 1",
		"00000006 00000001 00000001":          "LMK_PROCKILL: only the daemon sends it",
		"0000000b":                            "LMK_PROCS_PRIO: 0 words after the command, want 1 to 3 records of 4 words, or of 5",
		"0000000b" + strings.Repeat("00", 24): "LMK_PROCS_PRIO: 6 words after the command, want 1 to 3 records of 4 words, or of 5",
		"0000000b" + strings.Repeat("00", 80): "LMK_PROCS_PRIO: 20 words after the command, want 1 to 3 records of 4 words, or of 5",
		"0000000c":                            "command 12 is not known",
		"ffffffff":                            "command -1 is not known",
	} {
		var r Request
		if err := r.Decode(packet(t, bytes)); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", bytes, err, want)
		}
	}
}

func TestChecks(t *testing.T) {
	for _, p := range []Proc{{PID: 0}, {PID: -1}, {PID: 1, UID: -1}, {PID: 1, Adj: 1001}, {PID: 1, Adj: -1001}, {PID: 1, Type: 2}} {
		if p.Check() == nil {
			t.Errorf("nothing is wrong with %+v", p)
		}
	}
	for _, l := range []Level{{Minfree: -1}, {Adj: 1001}, {Adj: -1001}} {
		if l.Check() == nil {
			t.Errorf("nothing is wrong with %+v", l)
		}
	}
	if Event(2).Check() == nil || Event(-1).Check() == nil || StatEvent.Check() != nil {
		t.Error("events are not checked")
	}
	p, l := Proc{PID: 1, Adj: -1000, Type: Service}, Level{Adj: 1000}
	if p.Check() != nil || l.Check() != nil {
		t.Error("what is right is refused")
	}
}

// messages are packets as Android's daemon sends them.
var messages = []struct {
	name, bytes string
	want        Message
}{
	{
		"PROCKILL", "00000006 00001092 00002734 00019000",
		Message{Command: ProcKill, Kill: Kill{PID: 4242, UID: 10036, RSS: 102400}},
	},
	{"kill count", "00000004 00000003", Message{Command: GetKillCount, Value: 3}},
	{"props that could not be read", "00000007 ffffffff", Message{Command: UpdateProps, Value: -1}},
	{
		"STAT",
		"00000008 ffffffffffffffff 0000000000000007 0000000006400000 0000000000000000 0000000000001000 000000003b9aca00" +
			"00002734 00000384 000000c9 00007d00 00000000 00000008 00000005 00000063" + "0003 616263 00",
		Message{Command: StatKill, Stat: Stat{
			PageFaults: -1, MajorFaults: 7, RSS: 100 << 20, Swap: 4096, StartTime: 1e9, UID: 10036, Adj: 900, MinAdj: 201,
			Free: 32000, Reason: 8, Thrashing: 5, MaxThrashing: 99, Name: []byte("abc"),
		}},
	},
}

func TestMessages(t *testing.T) {
	for _, tt := range messages {
		t.Run(tt.name, func(t *testing.T) {
			var m Message
			if err := m.Decode(packet(t, tt.bytes)); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(m, tt.want) {
				t.Errorf("decoded %+v, want %+v", m, tt.want)
			}
			if got := hex.EncodeToString(m.Append(nil)); got != strings.ReplaceAll(tt.bytes, " ", "") {
				t.Errorf("encoded %s, want %s", got, tt.bytes)
			}
		})
	}
}

// TestStatLength: 87 bytes and the name, which is cut at 127 and at its NUL.
func TestStatLength(t *testing.T) {
	for name, want := range map[string]int{"": 87, "a": 88, "ab\x00c": 89, strings.Repeat("x", 200): MaxMessage} {
		m := Message{Command: StatKill, Stat: Stat{Name: []byte(name)}}
		if got := len(m.Append(nil)); got != want {
			t.Errorf("%d bytes with the name %q, want %d", got, name, want)
		}
	}
}

func TestBadMessages(t *testing.T) {
	stat := messages[3].bytes
	for bytes, want := range map[string]string{
		"":                              "a packet of 0 bytes has no command",
		"00000006 00000001":             "LMK_PROCKILL: 1 words after the command, want 2 or 3",
		"00000004":                      "LMK_GETKILLCNT: 0 words after the command, want 1",
		"00000001 00000001":             "LMK_PROCPRIO: the daemon does not send it",
		"00000008 00000001":             "LMK_STAT_KILL_OCCURRED: 8 bytes, want 87 at least",
		stat[:len(stat)-2]:              "LMK_STAT_KILL_OCCURRED: a name of 3 bytes in a packet of 89",
		stat + "00":                     "LMK_STAT_KILL_OCCURRED: a name of 3 bytes in a packet of 91",
		stat[:len(stat)-2] + "01":       "LMK_STAT_KILL_OCCURRED: a name of 3 bytes in a packet of 90",
		"00000006 00000001 00000002 00": "LMK_PROCKILL: 13 bytes are no whole number of words",
	} {
		var m Message
		if err := m.Decode(packet(t, bytes)); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", bytes, err, want)
		}
	}
	var old Message
	if err := old.Decode(packet(t, "00000006 00000001 00000002")); err != nil || old.Kill != (Kill{PID: 1, UID: 2}) {
		t.Errorf("the packet of an older daemon: %+v, %v", old, err)
	}
}

func TestDecodeAllocatesNothing(t *testing.T) {
	request, stat := packet(t, requests[11].bytes), packet(t, messages[3].bytes)
	var r Request
	var m Message
	buf := make([]byte, 0, MaxMessage)
	if n := testing.AllocsPerRun(100, func() {
		if r.Decode(request) != nil || m.Decode(stat) != nil {
			t.Fatal("not decoded")
		}
		buf = r.Append(buf[:0])
		buf = m.Append(buf[:0])
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzRequest(f *testing.F) {
	for _, tt := range requests {
		f.Add(packet(f, tt.bytes))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var r, again Request
		if r.Decode(b) != nil {
			return
		}
		if err := again.Decode(r.Append(nil)); err != nil || again != r {
			t.Errorf("%x: %+v, and again %+v, %v", b, r, again, err)
		}
	})
}

func FuzzMessage(f *testing.F) {
	for _, tt := range messages {
		f.Add(packet(f, tt.bytes))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var m, again Message
		if m.Decode(b) != nil {
			return
		}
		out := m.Append(nil)
		if err := again.Decode(out); err != nil || m.Command != StatKill && !reflect.DeepEqual(again, m) {
			t.Errorf("%x: %+v, and again %+v, %v", b, m, again, err)
		}
	})
}
