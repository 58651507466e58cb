package main

import (
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/lmkd/lmkd/test/vm/machine"
	"github.com/lmkd/lmkd/test/vm/wire"
)

func TestOptions(t *testing.T) {
	for _, c := range []struct{ line, says string }{
		{"", "no program"},
		{"-kernel 7 p", `no kernel "7"`},
		{"-mem 8 p", "-mem 8 is not between"},
		{"-oom maybe p", `-oom "maybe" is none of: forbid allow require`},
		{"-full -kernel 5.10 p", "-full knows"},
		{"-kernel trixie -zram 230 p -x", ""},
	} {
		var said strings.Builder
		_, err := parseOptions(strings.Fields(c.line), &said)
		if (err == nil) != (c.says == "") || !strings.Contains(said.String(), c.says) {
			t.Errorf("vm %s: %v, said %q, want %q", c.line, err, said.String(), c.says)
		}
	}
}

// TestGoTestFlags: what go test gives a test binary is made right for a guest.
func TestGoTestFlags(t *testing.T) {
	line := "p -test.testlogfile=/tmp/log -test.v=true -test.coverprofile=/tmp/c.out -test.gocoverdir=/tmp/d"
	o, err := parseOptions(strings.Fields(line), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"-test.v=true", "-test.coverprofile=/vm/out/go-test/coverprofile", "-test.gocoverdir=/vm/tmp"}
	if got := o.guestArgs(); !slices.Equal(got, want) {
		t.Errorf("arguments %q, want %q", got, want)
	}
	if len(o.home) != 1 || o.home[0] != (returning{"go-test/coverprofile", "/tmp/c.out"}) {
		t.Errorf("to bring home: %v", o.home)
	}
}

func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		verdict machine.Verdict
		end     *wire.End
		oom     string
		want    int
	}{
		{machine.Exited, &wire.End{Code: 3}, oomForbid, 3},
		{machine.Exited, &wire.End{Code: -1, Signal: 9}, oomForbid, 137},
		{machine.Exited, &wire.End{}, oomRequire, exitNoOOM},
		{machine.KernelOOM, &wire.End{}, oomForbid, exitKernelOOM},
		{machine.KernelOOM, &wire.End{Code: 1}, oomAllow, 1},
		{machine.KernelOOM, &wire.End{Code: -1, Signal: 9}, oomRequire, 0},
		{machine.Panicked, nil, oomAllow, exitPanicked},
		{machine.BootFailed, nil, oomAllow, exitNoBoot},
		{machine.WallLimit, nil, oomAllow, exitWall},
		{machine.Vanished, nil, oomAllow, exitVanished},
	} {
		r := &machine.Result{Verdict: c.verdict, End: c.end}
		if got := exitCode(&options{oom: c.oom}, r); got != c.want {
			t.Errorf("verdict %d, -oom %s: exit code %d, want %d", c.verdict, c.oom, got, c.want)
		}
	}
}
