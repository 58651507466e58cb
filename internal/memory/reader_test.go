package memory

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/pressure"
)

var rewrite = flag.Bool("rewrite", false, "write testdata/*/sample.txt anew")

// open opens a root and closes it with the test.
func open(t testing.TB, root string) *Reader {
	t.Helper()
	r, err := Open(root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func read(t testing.TB, r *Reader, s *pressure.Sample) {
	t.Helper()
	if err := r.Sample(time.Second, s); err != nil {
		t.Fatal(err)
	}
}

// Every captured tree gives the sample that stands beside it.
func TestTrees(t *testing.T) {
	roots, err := filepath.Glob("testdata/*/SOURCE")
	if err != nil || len(roots) == 0 {
		t.Fatal("no trees in testdata:", err)
	}
	for _, source := range roots {
		root := filepath.Dir(source)
		t.Run(filepath.Base(root), func(t *testing.T) {
			r := open(t, root)
			var w pressure.Watermarks
			if err := r.Watermarks(time.Millisecond, &w); err != nil {
				t.Fatal(err)
			}
			var s pressure.Sample
			read(t, r, &s)
			compare(t, filepath.Join(root, "sample.txt"), describe(&s, r))
		})
	}
}

// describe writes every field of a sample that is not zero on a line of its own.
func describe(s *pressure.Sample, r *Reader) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Has %07b\n", s.Has)
	describeStruct(&b, "", reflect.ValueOf(*s))
	for _, err := range r.Missing() {
		fmt.Fprintln(&b, "missing:", strings.ReplaceAll(err.Error(), r.root, "ROOT"))
	}
	return b.String()
}

func describeStruct(b *strings.Builder, prefix string, v reflect.Value) {
	for i := range v.NumField() {
		name := prefix + v.Type().Field(i).Name
		switch f := v.Field(i); {
		case f.Kind() == reflect.Struct:
			describeStruct(b, name+".", f)
		case name != "Has" && !f.IsZero():
			fmt.Fprintln(b, name, f)
		}
	}
}

func compare(t *testing.T, path, got string) {
	t.Helper()
	if *rewrite {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; got:\n%s", path, got)
	}
}

// tree copies a captured tree to where a test may change it.
func tree(t testing.TB, from string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(filepath.Join("testdata", from))); err != nil {
		t.Fatal(err)
	}
	return to
}

// edit replaces a file of a tree without giving it a new inode: a kept
// descriptor sees the new content.
func edit(t testing.TB, root, name string, change func(string) string) {
	t.Helper()
	path := filepath.Join(root, name)
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(change(string(old))), 0o644); err != nil {
		t.Fatal(err)
	}
}

// A limit counts when every device has one: one without takes what the others may
// not.
func TestZramLimit(t *testing.T) {
	root := tree(t, "built-zram-zfs")
	r := open(t, root)
	var s pressure.Sample
	read(t, r, &s)
	if s.Zram.Limited || s.Zram.Room != 0 {
		t.Errorf("no limit, and %+v", s.Zram)
	}
	limit := func(device, to string) {
		edit(t, root, "sys/block/"+device+"/mm_stat", func(old string) string {
			f := strings.Fields(old)
			f[3] = to
			return strings.Join(f, " ") + "\n"
		})
		read(t, r, &s)
	}
	limit("zram0", "50000000")
	if s.Zram.Limited || s.Zram.Room != 0 {
		t.Errorf("one of two is limited, and %+v", s.Zram)
	}
	limit("zram12", "1000000")
	if want := uint64(50000000 - 41943040); !s.Zram.Limited || s.Zram.Room != want {
		t.Errorf("both are limited, the second beyond what it has: %+v, want room of %d", s.Zram, want)
	}
}

func TestZramFollowsSwapon(t *testing.T) {
	root := tree(t, "built-zram-zfs")
	r := open(t, root)
	var s pressure.Sample
	read(t, r, &s)
	const two = 120586240 + 5496832
	if s.Zram.Original != two {
		t.Fatalf("two devices hold %d, want %d", s.Zram.Original, two)
	}
	edit(t, root, "proc/swaps", func(old string) string {
		return old + "/dev/zram1                              partition\t1048572\t\t5368\t\t100\n"
	})
	edit(t, root, "proc/meminfo", func(old string) string {
		return strings.Replace(old, "SwapTotal:       2332664", "SwapTotal:       3381236", 1)
	})
	read(t, r, &s)
	if want := uint64(two + 999999999); s.Zram.Original != want {
		t.Errorf("with a third device: %d, want %d", s.Zram.Original, want)
	}
	edit(t, root, "proc/swaps", func(string) string { return "Filename Type Size Used Priority\n" })
	var w pressure.Watermarks
	if err := r.Watermarks(0, &w); err != nil { // looks for devices too
		t.Fatal(err)
	}
	read(t, r, &s)
	if s.Zram.Original != 0 || s.Has&pressure.HasZram != 0 {
		t.Errorf("after swapoff: %+v", s.Zram)
	}
}

// A ZFS that writes its figures otherwise: the sample is whole without them,
// and it is said once.
func TestZFSWritesOtherwise(t *testing.T) {
	root := tree(t, "built-zram-zfs")
	edit(t, root, "proc/spl/kstat/zfs/arcstats", func(old string) string {
		return strings.Replace(old, "6442450944", "6.4G", 1)
	})
	r := open(t, root)
	var s pressure.Sample
	var w pressure.Watermarks
	for range 3 {
		if err := r.Watermarks(0, &w); err != nil {
			t.Fatal(err)
		}
		read(t, r, &s)
		if s.Memory.ReclaimableElsewhere != 0 || s.Memory.Available == 0 {
			t.Fatalf("%+v", s.Memory)
		}
	}
	if n := strings.Count(fmt.Sprint(r.Missing()), "6.4G"); n != 1 {
		t.Errorf("said %d times: %v", n, r.Missing())
	}
}

func TestZFSComesLater(t *testing.T) {
	root := tree(t, "built-zram-zfs")
	stats := filepath.Join(root, "proc/spl/kstat/zfs/arcstats")
	if err := os.Rename(stats, stats+".later"); err != nil {
		t.Fatal(err)
	}
	r := open(t, root)
	var s pressure.Sample
	read(t, r, &s)
	if s.Memory.ReclaimableElsewhere != 0 {
		t.Fatal("ZFS is counted before it is there")
	}
	if err := os.Rename(stats+".later", stats); err != nil {
		t.Fatal(err)
	}
	var w pressure.Watermarks
	if err := r.Watermarks(0, &w); err != nil {
		t.Fatal(err)
	}
	read(t, r, &s)
	if want := uint64(6442450944 - 789890688); s.Memory.ReclaimableElsewhere != want {
		t.Errorf("reclaimable %d, want %d", s.Memory.ReclaimableElsewhere, want)
	}
}

func TestOpenFails(t *testing.T) {
	empty := t.TempDir()
	bare := t.TempDir()
	write(t, bare, "proc/meminfo", "MemFree: 1 kB\n")
	bad := tree(t, "host-6.18")
	edit(t, bad, "proc/vmstat", func(old string) string {
		return strings.Replace(old, "pswpin 0", "pswpin none", 1)
	})
	for _, c := range []struct{ root, want string }{
		{empty, "open " + empty + "/proc/meminfo: no such file or directory"},
		{bare, "parse " + bare + "/proc/meminfo: no MemTotal"},
		{bad, "parse " + bad + `/proc/vmstat line 75: no number that fits in "pswpin none"`},
	} {
		r, err := Open(c.root)
		if err == nil || err.Error() != c.want {
			t.Errorf("Open: %v, want %s", err, c.want)
		}
		if err == nil {
			r.Close()
		}
	}
}

func write(t testing.TB, root, name, content string) {
	t.Helper()
	path := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// A machine that has nothing but meminfo still gives a sample.
func TestMeminfoAlone(t *testing.T) {
	root := t.TempDir()
	write(t, root, "proc/meminfo", "MemTotal: 65536 kB\nMemFree: 1024 kB\n")
	r := open(t, root)
	var s pressure.Sample
	read(t, r, &s)
	if s.Has != 0 || s.Memory.Total != 64<<20 || s.Memory.Free != 1<<20 {
		t.Errorf("%+v", s)
	}
	if n := len(r.Missing()); n != 6 {
		t.Errorf("%d files are said to be missing, want 6: %v", n, r.Missing())
	}
	var w pressure.Watermarks
	if err := r.Watermarks(0, &w); err == nil {
		t.Error("watermarks of a machine without zoneinfo")
	}
}

// The live kernel: nothing is allocated, and what two readings in a row say
// fits together.
func TestLive(t *testing.T) {
	r := open(t, "/")
	var s pressure.Sample
	var w pressure.Watermarks
	allocs := testing.AllocsPerRun(10, func() {
		if err := r.Watermarks(sys.Now(), &w); err != nil {
			t.Fatal(err)
		}
		if err := r.Sample(sys.Now(), &s); err != nil {
			t.Fatal(err)
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations a reading", allocs)
	}
	m := &s.Memory
	if m.Total == 0 || m.Free > m.Total || m.Available > m.Total || s.Has&pressure.HasAvailable == 0 {
		t.Errorf("memory %+v", m)
	}
	if w.Min == 0 || w.Low < w.Min || w.High < w.Low || s.Watermarks != w {
		t.Errorf("watermarks %+v", w)
	}
	if s.Has&pressure.HasRefault == 0 || s.Counters.FileLRU == 0 {
		t.Errorf("counters %+v", s.Counters)
	}
}

func BenchmarkSample(b *testing.B) {
	r := open(b, "/")
	var s pressure.Sample
	b.ReportAllocs()
	for b.Loop() {
		if err := r.Sample(time.Second, &s); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWatermarks(b *testing.B) {
	r := open(b, "/")
	var w pressure.Watermarks
	b.ReportAllocs()
	for b.Loop() {
		if err := r.Watermarks(time.Second, &w); err != nil {
			b.Fatal(err)
		}
	}
}
