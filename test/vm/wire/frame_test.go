package wire_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/lmkd/lmkd/test/vm/wire"
)

func TestFramesSurviveNoise(t *testing.T) {
	var line bytes.Buffer
	w := wire.NewWriter(&line)
	big := bytes.Repeat([]byte("\x00LMVo"), wire.MaxPayload/4)
	line.WriteString("login: \x00LM\x00LMVo\xff\xff\xff\xff")
	must(t, w.Bytes(wire.KindStdout, []byte("hello")))
	line.WriteString("\x00LMVo\x05\x00\x00\x00hello....") // a frame with a bad sum
	must(t, w.Bytes(wire.KindData, big))
	must(t, w.Bytes(wire.KindStderr, nil))

	r := wire.NewReader(&line)
	k, p, err := r.Next()
	must(t, err)
	if k != wire.KindStdout || string(p) != "hello" {
		t.Fatalf("first frame = %c %q", k, p)
	}
	var data []byte
	for len(data) < len(big) {
		k, p, err := r.Next()
		must(t, err)
		if k != wire.KindData {
			t.Fatalf("frame %c among data", k)
		}
		data = append(data, p...)
	}
	if !bytes.Equal(data, big) {
		t.Fatal("data differ after the line")
	}
	if k, p, err := r.Next(); err != nil || k != wire.KindStderr || len(p) != 0 {
		t.Fatalf("empty frame = %c %q %v", k, p, err)
	}
	if _, _, err := r.Next(); !errors.Is(err, io.EOF) {
		t.Fatalf("end = %v, want EOF", err)
	}
}

func FuzzReader(f *testing.F) {
	var line bytes.Buffer
	must(f, wire.NewWriter(&line).JSON(wire.KindEnd, wire.End{Code: 3}))
	f.Add(line.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		r := wire.NewReader(bytes.NewReader(b))
		for {
			_, p, err := r.Next()
			if err != nil {
				return
			}
			if len(p) > wire.MaxPayload {
				t.Fatal("a frame larger than a frame")
			}
		}
	})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
