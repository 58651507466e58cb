package psi

import (
	"testing"
	"time"
)

func TestThresholdText(t *testing.T) {
	got := string(Threshold{Full, 70 * time.Millisecond, time.Second}.text())
	if want := "full 70000 1000000\x00"; got != want {
		t.Errorf("text = %q, want %q", got, want)
	}
}

func TestThresholdCheck(t *testing.T) {
	tests := []struct {
		t    Threshold
		want string
	}{
		{Threshold{Some, 70 * time.Millisecond, time.Second}, ""},
		{Threshold{Full, 10 * time.Second, 10 * time.Second}, ""},
		{Threshold{Some, time.Microsecond, MinWindow}, ""},
		{Threshold{Some, 70 * time.Millisecond, 499 * time.Millisecond}, "pressure window 499ms: not between 500ms and 10s"},
		{Threshold{Some, 70 * time.Millisecond, 11 * time.Second}, "pressure window 11s: not between 500ms and 10s"},
		{Threshold{Some, 2 * time.Second, time.Second}, "pressure stall 2s: not between 1µs and the window of 1s"},
		{Threshold{Some, 0, time.Second}, "pressure stall 0s: not between 1µs and the window of 1s"},
		{Threshold{2, time.Second, time.Second}, "pressure kind 2: neither some nor full"},
	}
	for _, tt := range tests {
		got := ""
		if err := tt.t.Check(); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%+v.Check() = %q, want %q", tt.t, got, tt.want)
		}
		if _, err := Arm("/nowhere", tt.t); tt.want != "" && err.Error() != tt.want {
			t.Errorf("Arm of %+v: %v, want %q before any file is opened", tt.t, err, tt.want)
		}
	}
}

func TestUnprivileged(t *testing.T) {
	const ms = time.Millisecond
	tests := []struct{ in, want Threshold }{
		{Threshold{Some, 70 * ms, 1000 * ms}, Threshold{Some, 140 * ms, 2000 * ms}},
		{Threshold{Full, 700 * ms, 1000 * ms}, Threshold{Full, 1400 * ms, 2000 * ms}},
		{Threshold{Some, 150 * ms, 2000 * ms}, Threshold{Some, 150 * ms, 2000 * ms}},
		{Threshold{Some, 300 * ms, 3000 * ms}, Threshold{Some, 400 * ms, 4000 * ms}},
		{Threshold{Some, 9500 * ms, 9500 * ms}, Threshold{Some, 10000 * ms, 10000 * ms}},
		{Threshold{Some, 1, 0}, Threshold{Some, 1, 0}},
	}
	for _, tt := range tests {
		if got := tt.in.Unprivileged(); got != tt.want {
			t.Errorf("(%v).Unprivileged() = %v, want %v", tt.in, got, tt.want)
		}
	}
}
