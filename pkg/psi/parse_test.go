package psi

import (
	"fmt"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	some := Line{22, 17, 111, 58761459}
	full := Line{0, 0, 3, 8123}
	const someText = "some avg10=0.22 avg60=0.17 avg300=1.11 total=58761459\n"
	const fullText = "full avg10=0.00 avg60=0.00 avg300=0.03 total=8123\n"
	tests := []struct {
		name, in string
		want     Pressure
	}{
		{"both", someText + fullText, Pressure{some, full, true, true}},
		{"cpu before 5.13", someText, Pressure{some, Line{}, true, false}},
		{"irq", fullText, Pressure{Line{}, full, false, true}},
		{"other order", fullText + someText, Pressure{some, full, true, true}},
		{"unknown line", someText + "most avg10=x\n" + fullText, Pressure{some, full, true, true}},
		{"unknown key", strings.Replace(someText, "total", "avg900=7 total", 1), Pressure{some, Line{}, true, false}},
		{"limits", "some avg10=100.00 avg60=99.99 avg300=0.01 total=18446744073709551615\n",
			Pressure{Some: Line{10000, 9999, 1, 1<<64 - 1}, HasSome: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := Parse([]byte(tt.in)); err != nil || got != tt.want {
				t.Errorf("Parse = %+v, %v\nwant    %+v", got, err, tt.want)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	const good = "some avg10=0.22 avg60=0.17 avg300=1.11 total=58761459\n"
	tests := []struct{ name, in, want string }{
		{"empty", "", "parse pressure: neither a some nor a full line"},
		{"nothing known", "x y\n", "parse pressure: neither a some nor a full line"},
		{"cut", good[:len(good)-3], `parse pressure line 1: cut after "some avg10=0.22 avg60=0.17 avg300=1.11 total=587614"`},
		{"second line cut", good + "full avg10=0.0", `parse pressure line 2: cut after "full avg10=0.0"`},
		{"missing key", "some avg10=0.22 total=1\n", "parse pressure line 1: one of avg10, avg60, avg300 and total is missing"},
		{"negative", strings.Replace(good, "0.22", "-0.22", 1), `parse pressure line 1: "avg10=-0.22" is no number that fits`},
		{"one decimal", strings.Replace(good, "0.22", "0.2", 1), `parse pressure line 1: "avg10=0.2" is no number that fits`},
		{"no decimals", strings.Replace(good, "0.22", "0", 1), `parse pressure line 1: "avg10=0" is no number that fits`},
		{"huge average", strings.Replace(good, "0.22", "42949672.96", 1), `parse pressure line 1: "avg10=42949672.96" is no number that fits`},
		{"overflow", strings.Replace(good, "58761459", "18446744073709551616", 1), `parse pressure line 1: "total=18446744073709551616" is no number that fits`},
		{"no total", strings.Replace(good, "58761459", "", 1), `parse pressure line 1: "total=" is no number that fits`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Parse([]byte(tt.in))
			if err == nil || err.Error() != tt.want || got != (Pressure{}) {
				t.Errorf("Parse = %+v, %v\nwant an error: %s", got, err, tt.want)
			}
		})
	}
}

// print writes p as the kernel's psi_show does.
func (p Pressure) print() string {
	out := ""
	line := func(name string, l Line) {
		out += fmt.Sprintf("%s avg10=%d.%02d avg60=%d.%02d avg300=%d.%02d total=%d\n", name,
			l.Avg10/100, l.Avg10%100, l.Avg60/100, l.Avg60%100, l.Avg300/100, l.Avg300%100, l.Total)
	}
	if p.HasSome {
		line("some", p.Some)
	}
	if p.HasFull {
		line("full", p.Full)
	}
	return out
}

// FuzzParse: whatever is accepted means the same when the kernel prints it.
func FuzzParse(f *testing.F) {
	f.Add([]byte("some avg10=0.22 avg60=0.17 avg300=1.11 total=58761459\nfull avg10=0.00 avg60=0.00 avg300=0.03 total=8123\n"))
	f.Add([]byte("full avg10=100.00 avg60=0.00 avg300=0.00 total=18446744073709551615\n"))
	f.Add([]byte("some avg10=0.22 avg60=0.17 avg300=1.11 total=587\nfull"))
	f.Fuzz(func(t *testing.T, in []byte) {
		p, err := Parse(in)
		if err != nil {
			return
		}
		again, err := Parse([]byte(p.print()))
		// A line that comes twice counts once, with its last values.
		if err != nil || again != p {
			t.Errorf("Parse(%q) = %+v, printed and parsed again %+v, %v", in, p, again, err)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	in := []byte("some avg10=0.22 avg60=0.17 avg300=1.11 total=58761459\nfull avg10=0.00 avg60=0.00 avg300=0.03 total=8123\n")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(in); err != nil {
			b.Fatal(err)
		}
	}
}
