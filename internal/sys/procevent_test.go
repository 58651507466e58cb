package sys

import (
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"
	"time"
)

// Captured on Linux 6.18, amd64, so little-endian: as recvmsg gave them.
var datagrams = map[string]string{
	"fork": "4c00000003000000cd01000000000000" + "0100000001000000cd010000000000002800" + "0000" +
		"0100000000000000bb4c9779c1010000" + "454b0000454b0000494b0000494b00000000000000000000",
	"exec": "4c00000003000000eb01000000000000" + "0100000001000000eb010000000000002800" + "0000" +
		"0200000001000000fa8aa079c1010000" + "4a4b00004a4b000000000000000000000000000000000000",
	"exit": "4c00000003000000ec01000000000000" + "0100000001000000ec010000000000002800" + "0000" +
		"0000008000000000f0ffaa79c1010000" + "4a4b00004a4b00000000000011000000454b0000454b0000",
}

func datagram(t testing.TB, name string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(datagrams[name], " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestParseProcEvent(t *testing.T) {
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Fatal("the captured datagrams are for a little-endian machine")
	}
	for name, want := range map[string]ProcEvent{
		"fork": {Kind: ProcFork, CPU: 0, PID: 0x4b49, TGID: 0x4b49, PeerPID: 0x4b45, PeerTGID: 0x4b45, Seq: 0x1cd},
		"exec": {Kind: ProcExec, CPU: 1, PID: 0x4b4a, TGID: 0x4b4a, Seq: 0x1eb},
		"exit": {Kind: ProcExit, CPU: 0, PID: 0x4b4a, TGID: 0x4b4a, PeerPID: 0x4b45, PeerTGID: 0x4b45, B: 17, Seq: 0x1ec},
	} {
		got, ok := ParseProcEvent(datagram(t, name))
		if got.Time < 32*time.Minute || got.Time > 33*time.Minute {
			t.Errorf("%s: time %v", name, got.Time)
		}
		got.Time = 0
		if !ok || got != want {
			t.Errorf("%s: %+v, %v\nwant %+v", name, got, ok, want)
		}
	}
}

func TestParseProcEventRefusesWhatIsCut(t *testing.T) {
	for name := range datagrams {
		b := datagram(t, name)
		for n := range b {
			if ev, ok := ParseProcEvent(b[:n]); ok {
				t.Errorf("%s cut to %d bytes: %+v", name, n, ev)
			}
		}
	}
}

func FuzzParseProcEvent(f *testing.F) {
	for name := range datagrams {
		f.Add(datagram(f, name))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		ev, ok := ParseProcEvent(b)
		if ok && ev.Kind&^ProcAll != 0 {
			t.Errorf("kind %#x", ev.Kind)
		}
	})
}

func TestWaitStatus(t *testing.T) {
	for _, c := range []struct {
		code, status int32
		want         uint32
	}{
		{1, 3, 0x0300},   // CLD_EXITED
		{2, 9, 0x0009},   // CLD_KILLED
		{3, 11, 0x008b},  // CLD_DUMPED
		{5, 19, 0x137f},  // CLD_STOPPED
		{6, 18, 0xffff},  // CLD_CONTINUED
		{1, 256, 0x0000}, // more than a byte is cut, as exit(2) does
	} {
		if got := waitStatus(c.code, c.status); got != c.want {
			t.Errorf("code %d, status %d: %#x, want %#x", c.code, c.status, got, c.want)
		}
	}
}
