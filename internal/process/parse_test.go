package process

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const statTail = " 0 0 0 0 0 4194304 103 0 7 0 0 0 0 0 20 0 3 0 114297 3133440 394\n"

func TestStat(t *testing.T) {
	for _, c := range []struct {
		in, name    string
		state       byte
		ppid        int32
		wantStarted uint64
	}{
		{"8250 (cat) R 8243" + " 8243 7365 0 -1 4194304 103 0 7 0 0 0 0 0 20 0 1 0 114297 3133440", "cat", 'R', 8243, 114297},
		{"1 () S 0 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 5 0", "", 'S', 0, 5},
		{"9 () Z 1 () S 4 1 1 0 -1 0 1 2 3 4 5 6 7 8 20 0 1 0 6", ") Z 1 (", 'S', 4, 6},
		{"9 (a\nb) S 4 1 1 0 -1 0 1 2 3 4 5 6 7 8 20 0 1 0 7\n", "a\nb", 'S', 4, 7},
		{"9 (\xff\xfe((() D 4 1 1 0 -1 0 1 2 3 4 5 6 7 8 20 0 1 0 8 9", "\xff\xfe(((", 'D', 4, 8},
		{"9 (kworker/u8:3-events_unbound) I 2 0 0 0 -1 69238880 1 2 3 4 5 6 7 8 20 0 1 0 9", "kworker/u8:3-events_unbound", 'I', 2, 9},
	} {
		s, err := parseStat([]byte(c.in))
		if err != nil || string(s.name) != c.name || s.state != c.state || s.ppid != c.ppid || s.startTime != c.wantStarted {
			t.Errorf("%q: %+v %q %v", c.in, s, s.name, err)
		}
	}
	for _, in := range []string{
		"", "9", "9 (a", "9 a) S", "9 )a( S 1", "9 (a)", "9 (a) S", "9 (a) SS 4" + statTail, "9 (a) S x" + statTail,
		"9 (a) S -1" + statTail, "9 (a) S 4 1 1 0 -1 0 1 2 3 4 5 6 7 8 20 0 1 0",
	} {
		if s, err := parseStat([]byte(in)); err == nil {
			t.Errorf("%q is taken: %+v", in, s)
		}
	}
}

func TestStatm(t *testing.T) {
	m, err := parseStatm([]byte("765 423 394 5 0 123 0\n"))
	if err != nil || m != (statm{765, 423, 394}) {
		t.Error(m, err)
	}
	for _, in := range []string{"", "\n", "1 2", "1 2 x", "-1 2 3", "1 2 99999999999999"} {
		if m, err := parseStatm([]byte(in)); err == nil {
			t.Errorf("%q is taken: %+v", in, m)
		}
	}
}

func TestAdjAndScore(t *testing.T) {
	for in, want := range map[string]int16{"0\n": 0, "-1000\n": -1000, "1000": 1000, "-1\n": -1} {
		if adj, err := parseAdj([]byte(in)); err != nil || adj != want {
			t.Error(in, adj, err)
		}
	}
	for _, in := range []string{"", "-", "1001\n", "-1001", "1 2", "+1", "--1"} {
		if adj, err := parseAdj([]byte(in)); err == nil {
			t.Errorf("%q is taken: %d", in, adj)
		}
	}
	if score, err := parseScore([]byte("666\n")); err != nil || score != 666 {
		t.Error(score, err)
	}
	for _, in := range []string{"", "-1", "99999999\n"} {
		if _, err := parseScore([]byte(in)); err == nil {
			t.Errorf("%q is taken", in)
		}
	}
}

// readStatusText reads a status that is there as a whole.
func readStatusText(b []byte) (s status, ok bool) {
	l := lines{buf: b, end: len(b), last: true}
	for {
		line, more := l.next()
		if !more {
			return s, true
		}
		if !s.set(line) {
			return s, false
		}
	}
}

func TestStatus(t *testing.T) {
	const in = "Name:\todd:\\n name\nState:\tS (sleeping)\nTgid:\t77\nPid:\t78\nTracerPid:\t5\nUid:\t1000\t0\t0\t0\n" +
		"Groups:\t4 20 \nNSpid:\t77\t12\t1\nVmLck:\t       8 kB\nVmSwap:\t      40 kB\nRssAnon:\t     116 kB\nRssFile:\t    1596 kB\n" +
		"RssShmem:\t      12 kB\nVmPTE:\t      44 kB\nHugetlbPages:\t    2048 kB\nCoreDumping:\t1\nThreads:\t3\n" +
		"SigPnd:\t0000000000000000\nShdPnd:\t0000000000000100\nodd line without a colon\n"
	s, ok := readStatusText([]byte(in))
	want := status{tgid: 77, tracer: 5, threads: 3, uid: 1000, anon: 116 << 10, file: 1596 << 10, shmem: 12 << 10,
		swap: 40 << 10, locked: 8 << 10, huge: 2 << 20, tables: 44 << 10, coreDumping: true, killed: true, initOfNS: true}
	if !ok || s != want {
		t.Errorf("%v %+v, want %+v", ok, s, want)
	}
	for _, in := range []string{
		"RssAnon: 1", "RssAnon: x kB", "RssAnon: 1 MB", "Uid: -1", "Uid: 4294967296", "Tgid:", "SigPnd: 1", "SigPnd: 000000000000010g",
		"NSpid: 1 x", "CoreDumping:", "Threads: many",
	} {
		if s, ok := readStatusText([]byte(in)); ok {
			t.Errorf("%q is taken: %+v", in, s)
		}
	}
}

func TestPendingKill(t *testing.T) {
	for in, want := range map[string]bool{
		"SigPnd: 0000000000000100": true, "ShdPnd: 0000000000000300": true, "SigPnd: 00000100": true,
		"SigPnd: 0000000000000200": false, "SigPnd: fffffffffffffeff": false,
	} {
		if s, ok := readStatusText([]byte(in)); !ok || s.killed != want {
			t.Errorf("%q: %v %v", in, ok, s.killed)
		}
	}
}

func TestCgroupPath(t *testing.T) {
	for _, c := range []struct {
		in, path   string
		memory, ok bool
	}{
		{"0::/system.slice/a.service", "/system.slice/a.service", false, true},
		{"0::/", "/", false, true},
		{"0::/a:b:c", "/a:b:c", false, true},
		{"4:memory:/docker/x", "/docker/x", true, true},
		{"4:cpu,memory:/x", "/x", true, true},
		{"9:name=systemd:/memory", "", false, true},
		{"9:name=memory:/x", "", false, true},
		{"", "", false, false},
		{"x::/", "", false, false},
		{"0:/", "", false, false},
	} {
		path, memory, ok := cgroupPath([]byte(c.in))
		if string(path) != c.path || memory != c.memory || ok != c.ok {
			t.Errorf("%q: %q %v %v", c.in, path, memory, ok)
		}
	}
}

// seed adds every captured file of a name to a fuzz target.
func seed(f *testing.F, name string) {
	paths, _ := filepath.Glob("testdata/*/proc/[0-9]*/" + name)
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
}

func FuzzStat(f *testing.F) {
	seed(f, "stat")
	f.Fuzz(func(t *testing.T, in []byte) {
		s, err := parseStat(in)
		if err == nil && (s.ppid < 0 || s.threads < 0 || !bytes.Contains(in, append(append([]byte{'('}, s.name...), ')'))) {
			t.Errorf("%+v %q", s, s.name)
		}
	})
}

func FuzzStatm(f *testing.F) {
	seed(f, "statm")
	f.Fuzz(func(t *testing.T, in []byte) {
		if m, err := parseStatm(in); err == nil && max(m.size, m.resident, m.shared) > maxPages {
			t.Errorf("%+v", m)
		}
	})
}

func FuzzAdj(f *testing.F) {
	seed(f, "oom_score_adj")
	f.Fuzz(func(t *testing.T, in []byte) {
		if adj, err := parseAdj(in); err == nil && (adj < -1000 || adj > 1000) {
			t.Error(adj)
		}
	})
}

// One more newline at the end of a status or cgroup says nothing.
func FuzzStatus(f *testing.F) {
	seed(f, "status")
	f.Fuzz(func(t *testing.T, in []byte) {
		s, ok := readStatusText(bytes.Clone(in))
		again, ok2 := readStatusText(append(bytes.Clone(in), '\n'))
		if ok != ok2 || ok && s != again {
			t.Errorf("%v %+v, then %v %+v", ok, s, ok2, again)
		}
	})
}

func FuzzCgroup(f *testing.F) {
	seed(f, "cgroup")
	f.Fuzz(func(t *testing.T, in []byte) {
		path, memory, ok := cgroupPath(in)
		if !ok && (path != nil || memory) || !bytes.HasSuffix(in, path) {
			t.Errorf("%q %v %v", path, memory, ok)
		}
	})
}

func FuzzMemoryStat(f *testing.F) {
	f.Add([]byte("anon 4096\nfile 0\nshmem 12\nfile_mapped 1\nunevictable 2\n"))
	f.Add([]byte("anon x\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		s, ok := parseMemoryStat(in)
		if !ok && s != (memoryStat{}) || max(s.anon, s.shmem, s.mapped, s.unevictable) > maxPages<<12 {
			t.Errorf("%+v %v", s, ok)
		}
		again, ok2 := parseMemoryStat(append(bytes.Clone(in), "\nslab 5\n"...))
		if ok && (!ok2 || again != s) {
			t.Errorf("%+v, then with a key that is not known %+v %v", s, again, ok2)
		}
	})
}

func FuzzYes(f *testing.F) {
	for _, s := range []string{"1", "yes", "TRUE", "0", "on\x00"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		if parseYes(in) && (len(in) == 0 || len(in) > 4 || parseYes(append(bytes.Clone(in), 0))) {
			t.Errorf("%q", in)
		}
	})
}

// Any file is read alike through any buffer that holds its longest line.
func FuzzLines(f *testing.F) {
	seed(f, "status")
	f.Add([]byte(strings.Repeat("Groups:", 400) + "\nTgid:\t1\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		want := collect(lines{buf: bytes.Clone(in), end: len(in), last: true}, 100)
		got := collect(lines{table: tableOf(in), name: "status", buf: make([]byte, 101)}, 100)
		if want != got {
			t.Errorf("as a whole %q, in pieces %q", want, got)
		}
	})
}

// collect joins the lines of at most size bytes.
func collect(l lines, size int) string {
	var b strings.Builder
	for {
		line, ok := l.next()
		if !ok {
			return b.String()
		}
		if len(line) <= size {
			b.Write(line)
			b.WriteByte('|')
		}
	}
}
