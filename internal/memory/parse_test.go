package memory

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/pressure"
)

// text makes lines of a string that is there as a whole.
func text(s string) *lines {
	return &lines{buf: []byte(s), end: len(s), fd: -1, name: "file"}
}

// A second, naive reader of meminfo and vmstat must agree on every field.
func TestAgreesWithNaiveReader(t *testing.T) {
	trees, _ := filepath.Glob("testdata/*/proc/meminfo")
	for _, path := range trees {
		root := filepath.Dir(filepath.Dir(path))
		s := pressure.Sample{}
		read(t, open(t, root), &s)
		m, v := naive(t, root+"/proc/meminfo"), naive(t, root+"/proc/vmstat")
		for _, c := range []struct {
			name      string
			got, want uint64
		}{
			{"MemTotal", s.Memory.Total, m["MemTotal:"] << 10},
			{"Active(anon)", s.Memory.ActiveAnon, m["Active(anon):"] << 10},
			{"Inactive(anon)", s.Memory.InactiveAnon, m["Inactive(anon):"] << 10},
			{"Active(file)", s.Memory.ActiveFile, m["Active(file):"] << 10},
			{"Inactive(file)", s.Memory.InactiveFile, m["Inactive(file):"] << 10},
			{"SReclaimable", s.Memory.SReclaimable, m["SReclaimable:"] << 10},
			{"SwapCached", s.Memory.SwapCached, m["SwapCached:"] << 10},
			{"Zswapped", s.Memory.Zswapped, m["Zswapped:"] << 10},
			{"Committed_AS", s.Memory.CommittedAS, m["Committed_AS:"] << 10},
			{"HugePages_Free", s.Memory.HugeFree, m["HugePages_Free:"] * m["Hugepagesize:"] << 10},
			{"CmaFree", s.Memory.CmaFree, m["CmaFree:"] << 10},
			{"refault", s.Counters.Refault, v["workingset_refault"] + v["workingset_refault_file"]},
			{"file LRU", s.Counters.FileLRU, v["nr_inactive_file"] + v["nr_active_file"]},
			{"allocstall", s.Counters.AllocStall, v["allocstall_dma"] + v["allocstall_dma32"] + v["allocstall_normal"] +
				v["allocstall_movable"] + v["allocstall_device"]},
			{"pgmajfault", s.Counters.MajorFaults, v["pgmajfault"]},
			{"pswpout", s.Counters.SwapOut, v["pswpout"]},
		} {
			if c.got != c.want {
				t.Errorf("%s: %s is %d, want %d", root, c.name, c.got, c.want)
			}
		}
	}
}

func naive(t *testing.T, path string) map[string]uint64 {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]uint64{}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if out[f[0]], err = strconv.ParseUint(f[1], 10, 64); err != nil {
			t.Fatal(path, err)
		}
	}
	return out
}

func TestMeminfoMalformed(t *testing.T) {
	for _, c := range []string{
		"MemFree: -1 kB\n", "MemFree:\n", "MemFree: 12kB\n", "MemFree: 1 MB\n",
		"MemFree: 99999999999999999999 kB\n", "MemFree: 18014398509481984 kB\n",
		"HugePages_Total: 18446744073709551615\nHugepagesize: 2048 kB\n",
	} {
		var m meminfo
		if err := parseMeminfo(text(c), &m); err == nil {
			t.Errorf("%q is taken", c)
		}
	}
	var m meminfo
	if err := parseMeminfo(text("Odd key: -1\nno colon\n\nMemFree: 3 kB"), &m); err != nil || m.Free != 3<<10 {
		t.Errorf("unknown lines: %v, free %d", err, m.Free)
	}
}

func TestVmstat(t *testing.T) {
	for _, c := range []struct {
		in      string
		refault uint64
		has     bool
	}{
		{"pswpin 1\n", 0, false},
		{"workingset_refault 7\n", 7, true},
		{"workingset_refault_anon 9\nworkingset_refault_file 8\n", 8, true},
		{"workingset_refault 0\nworkingset_refault_file 8\n", 8, true},
		{"workingset_refault 7\nworkingset_refault_file 8\n", 7, true},
	} {
		var v vmstat
		if err := parseVmstat(text(c.in), &v); err != nil || v.Refault != c.refault || v.hasRefault != c.has {
			t.Errorf("%q: %d %v %v", c.in, v.Refault, v.hasRefault, err)
		}
	}
}

func TestZoneinfo(t *testing.T) {
	const zone = "Node %, zone Normal\n  per-node stats\n      nr_inactive_anon 5\n  pages free 100\n" +
		"        boost 0\n        min 10\n        low 20\n        high 30\n        present 1000\n" +
		"        protection: (0, 7, 3)\n      nr_free_pages 100\n  pagesets\n    cpu: 0\n              high: 99\n"
	const empty = "Node 0, zone Movable\n  pages free 0\n        min 32\n        low 32\n        high 32\n        present 0\n        protection: (0, 9)\n"
	var w pressure.Watermarks
	if err := parseZoneinfo(text(strings.Repeat(zone, 70)+empty), 4096, &w); err != nil {
		t.Fatal(err)
	}
	if w.Min != 70*17*4096 || w.Low != 70*27*4096 || w.High != 70*37*4096 {
		t.Errorf("70 nodes: %+v", w)
	}
	for _, c := range []string{
		"min x\n", "low\n", "protection:\n", "protection: 0, 3\n", "protection: ()\n", "protection: (0, x)\n",
		"present 1099511627776\n", "protection: (1099511627776)\n",
	} {
		if err := parseZoneinfo(text("Node 0, zone DMA\n"+c), 4096, &w); err == nil {
			t.Errorf("%q is taken", c)
		}
	}
}

// A file is the same through any buffer that holds its longest line.
func TestSmallBuffer(t *testing.T) {
	fd, e := sys.OpenPath("testdata/host-6.18/proc/zoneinfo", sys.ReadOnly)
	if e != 0 {
		t.Fatal(e)
	}
	defer func() { _ = fd.Close() }()
	var want pressure.Watermarks
	for _, size := range []int{64 << 10, 4096, 100, 61} {
		var w pressure.Watermarks
		l := fileLines(fd.Int(), "zoneinfo", make([]byte, size))
		if err := parseZoneinfo(&l, 4096, &w); err != nil {
			t.Fatal(size, err)
		}
		if want.Min == 0 {
			want = w
		}
		if w != want || w.Min == 0 {
			t.Errorf("through %d bytes: %+v, want %+v", size, w, want)
		}
	}
	var w pressure.Watermarks
	l := fileLines(fd.Int(), "zoneinfo", make([]byte, 16))
	if err := parseZoneinfo(&l, 4096, &w); err == nil || !strings.Contains(err.Error(), "longer than 16 bytes") {
		t.Errorf("a line longer than the buffer: %v", err)
	}
}

func TestZramName(t *testing.T) {
	for in, want := range map[string]string{
		"/dev/zram0                partition\t1\t2\t3": "zram0",
		"/dev/block/zram17 partition":                  "zram17",
		"/dev/zram partition":                          "",
		"/dev/zramfoo partition":                       "",
		"/dev/zram0p1 partition":                       "",
		"/dev/zram1234567890 partition":                "",
		"/swap\\040zram0 file":                         "",
		"Filename Type":                                "",
		"":                                             "",
	} {
		if got := zramName([]byte(in)); string(got) != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestSwaps(t *testing.T) {
	for in, want := range map[string]string{
		"Filename Type Size Used Priority\n/dev/zram0  partition\t8\t\t4\t\t100\n/dev/vda2 partition 1000 900 -2\n/dev/zram1 partition 3 0 5": "11264 4096",
		"/dev/zram0 partition 8":                       `parse file line 1: no number that fits in "/dev/zram0 partition 8"`,
		"/dev/zram0 partition x 1 100":                 `parse file line 1: no number that fits in "/dev/zram0 partition x 1 100"`,
		"/dev/zram0 partition 99999999999999999 1 100": `parse file line 1: no number that fits in "/dev/zram0 partition 99999999999999999 1 100"`,
		"/dev/vda2 partition x y z":                    "0 0",
	} {
		var z pressure.Zram
		got := ""
		if err := parseSwaps(text(in), &z); err != nil {
			got = err.Error()
		} else {
			got = fmt.Sprint(z.Size, z.Used)
		}
		if got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

// fuzz seeds a target with one file of all trees, and gives each input to
// parse as a whole and in small pieces; both must agree.
func fuzz(f *testing.F, name string, parse func(l *lines) (any, error)) {
	paths, _ := filepath.Glob("testdata/*/" + name)
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		got, err := parse(text(string(in)))
		if err == nil && bytes.Count(in, []byte("\n")) < 2 {
			return
		}
		again, err2 := parse(text(string(in) + "\n")) // one more newline says nothing
		if (err == nil) != (err2 == nil) || err == nil && got != again {
			t.Errorf("%v %v, then %v %v", got, err, again, err2)
		}
	})
}

func FuzzMeminfo(f *testing.F) {
	fuzz(f, "proc/meminfo", func(l *lines) (any, error) {
		var m meminfo
		err := parseMeminfo(l, &m)
		return m, err
	})
}

func FuzzVmstat(f *testing.F) {
	fuzz(f, "proc/vmstat", func(l *lines) (any, error) {
		var v vmstat
		err := parseVmstat(l, &v)
		return v, err
	})
}

func FuzzZoneinfo(f *testing.F) {
	fuzz(f, "proc/zoneinfo", func(l *lines) (any, error) {
		var w pressure.Watermarks
		err := parseZoneinfo(l, 4096, &w)
		return w, err
	})
}

func FuzzArcstats(f *testing.F) {
	fuzz(f, "proc/spl/kstat/zfs/arcstats", func(l *lines) (any, error) {
		var a arcStats
		err := parseArcstats(l, &a)
		return a, err
	})
}

func FuzzMmStat(f *testing.F) {
	fuzz(f, "sys/block/zram*/mm_stat", func(l *lines) (any, error) {
		var z pressure.Zram
		err := parseMmStat(l, &z)
		return z, err
	})
}

func FuzzSwaps(f *testing.F) {
	fuzz(f, "proc/swaps", func(l *lines) (any, error) {
		var z pressure.Zram
		err := parseSwaps(l, &z)
		return z, err
	})
}

func FuzzZramName(f *testing.F) {
	f.Add([]byte("/dev/zram0 partition 1 2 3"))
	f.Fuzz(func(t *testing.T, line []byte) {
		if name := zramName(line); name != nil && (len(name) < 5 || len(name) > 13) {
			t.Errorf("%q gives %q", line, name)
		}
	})
}
