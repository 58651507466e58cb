package exitwait

import (
	"encoding/json"
	"errors"
	"testing"
)

// statLine is captured from Linux 6.18; only the name varies.
func statLine(name string) string {
	return "4711 (" + name + ") S 4700 4711 4700 34816 4711 4194304 160 0 0 0 0 0 0 0 20 0 3 0 982133 " +
		"3907584 512 18446744073709551615 94207 94240 140722 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0 94255 94256 94290 " +
		"140730 140731 140732 140733 256\n"
}

func TestParseStat(t *testing.T) {
	want := stat{state: 'S', threads: 3, start: 982133, exitCode: 256}
	for _, name := range []string{"cat", "", ") Z 1 (", "a b", "((", "))", "\n", "\xff\xfe", "x) X 2 3 4"} {
		if got, ok := parseStat([]byte(statLine(name))); !ok || got != want {
			t.Errorf("name %q: %+v, %v; want %+v", name, got, ok, want)
		}
	}
	for _, line := range []string{"", "4711", "4711 (cat)", "4711 (cat) S 1 2 3", "4711 (cat S 1", statLine("c")[:60]} {
		if got, ok := parseStat([]byte(line)); ok {
			t.Errorf("%q: %+v, want a refusal", line, got)
		}
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte(statLine("cat")))
	f.Add([]byte(statLine(") Z 1 (")))
	f.Add([]byte("1 () Z"))
	f.Fuzz(func(t *testing.T, line []byte) {
		if s, ok := parseStat(line); !ok && s.dead() && s.start != 0 {
			t.Errorf("refused, and yet %+v", s)
		}
	})
}

func TestParseField(t *testing.T) {
	text := []byte("Name:\tTgid:\\n1\nState:\tS (sleeping)\nTgid:\t4711\nPPid:\t1\n")
	if n, ok := parseField(text, "\nTgid:\t"); !ok || n != 4711 {
		t.Errorf("Tgid: %d, %v", n, ok)
	}
	for _, bad := range []string{"", "Tgid:\t1\n", "\nTgid:\t1", "\nTgid:\tx\n"} {
		if n, ok := parseField([]byte(bad), "\nTgid:\t"); ok {
			t.Errorf("%q: %d, want a refusal", bad, n)
		}
	}
}

func FuzzParseField(f *testing.F) {
	f.Add([]byte("Name:\tx\nTgid:\t4711\n"))
	f.Fuzz(func(_ *testing.T, text []byte) { parseField(text, "\nTgid:\t") })
}

const someBoot = "2f5a0f5e-0d4b-4a8e-9b39-2a6f7a1c9d10"

var handles = map[string]Handle{
	"4711":                         {PID: 4711},
	"4711:1846":                    {PID: 4711, Inode: 1846},
	"4711:1846:982133:" + someBoot: {4711, 1846, 982133, someBoot},
	"4711::982133:" + someBoot:     {4711, 0, 982133, someBoot},
	"4711::982133:":                {PID: 4711, Start: 982133},
	"1:::" + someBoot:              {PID: 1, Boot: someBoot},
}

func TestHandleText(t *testing.T) {
	for text, want := range handles {
		if got, err := ParseHandle(text); err != nil || got != want {
			t.Errorf("%q: %+v, %v; want %+v", text, got, err, want)
		}
		if got := want.String(); got != text {
			t.Errorf("%+v: %q, want %q", want, got, text)
		}
		var back Handle
		b, err := json.Marshal(want)
		if err == nil {
			err = json.Unmarshal(b, &back)
		}
		if err != nil || back != want {
			t.Errorf("%s through JSON: %+v, %v", b, back, err)
		}
	}
	for _, text := range []string{"", "0", "-1", "x", "4711:", "4711:0", "4711:x", "1:2:3", "1:2:3:x", "1:2:0:" + someBoot,
		"1:2:3:" + someBoot + ":", "4294967296", " 1", "+1", "1:-2"} {
		if got, err := ParseHandle(text); !errors.Is(err, errHandle) {
			t.Errorf("%q: %+v, %v; want a refusal", text, got, err)
		}
	}
}

func FuzzParseHandle(f *testing.F) {
	for text := range handles {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		h, err := ParseHandle(text)
		if err != nil {
			return
		}
		if again, err := ParseHandle(h.String()); err != nil || again != h {
			t.Errorf("%q gives %+v, whose text gives %+v, %v", text, h, again, err)
		}
	})
}
