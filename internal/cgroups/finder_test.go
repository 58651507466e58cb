package cgroups

import (
	"os"
	"slices"
	"testing"
)

func patterns(t *testing.T, texts ...string) (out []Pattern) {
	t.Helper()
	for _, text := range texts {
		p, err := ParsePattern(text)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

func TestPattern(t *testing.T) {
	for _, tc := range []struct {
		pattern, path string
		match, leads  bool
	}{
		{"/user.slice", "/user.slice", true, false},
		{"/user.slice", "/", false, true},
		{"/user.slice/user-*.slice", "/user.slice", false, true},
		{"/user.slice/user-*.slice", "/user.slice/user-1000.slice", true, false},
		{"/user.slice/user-*.slice", "/user.slice/user-1000.slice/session-1.scope", false, false},
		{"/user.slice/user-*.slice", "/system.slice", false, false},
		{"/kubepods.slice/**/*.scope", "/kubepods.slice", false, true},
		{"/kubepods.slice/**/*.scope", "/kubepods.slice/a/b/c.scope", true, true},
		{"/kubepods.slice/**/*.scope", "/kubepods.slice/a/b", false, true},
		{"/kubepods.slice/**/*.scope", "/system.slice", false, false},
		{"/**", "/a/b", true, true},
		{"/a/x**", "/a/xy/z", true, true},
	} {
		p := patterns(t, tc.pattern)[0]
		if got := p.Match(tc.path); got != tc.match {
			t.Errorf("%s matches %s: %v", tc.pattern, tc.path, got)
		}
		if got := p.Leads(tc.path); got != tc.leads {
			t.Errorf("%s leads below %s: %v", tc.pattern, tc.path, got)
		}
	}
}

func TestNoPattern(t *testing.T) {
	for _, text := range []string{"", "/", "user.slice", "/a/", "/a//b", "/a/../b", "/."} {
		if _, err := ParsePattern(text); err == nil {
			t.Errorf("%q is a pattern", text)
		}
	}
}

// scene is a tree of directories and what a Finder told of it.
type scene struct {
	t    *testing.T
	root string
	*Finder
	told []string
}

func newScene(t *testing.T, texts ...string) *scene {
	t.Helper()
	s := &scene{t: t, root: t.TempDir()}
	var err error
	if s.Finder, err = NewFinder(s.root, patterns(t, texts...)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func (s *scene) made(paths ...string) {
	s.t.Helper()
	for _, p := range paths {
		if err := os.MkdirAll(s.root+p, 0o755); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *scene) removed(path string) {
	s.t.Helper()
	if err := os.RemoveAll(s.root + path); err != nil {
		s.t.Fatal(err)
	}
}

func (s *scene) tell(e Event) {
	sign := "+"
	if e.Gone {
		sign = "-"
	}
	s.told = append(s.told, sign+e.Path)
}

// expect takes what waits and compares it, in any order.
func (s *scene) expect(look func(func(Event)) error, want ...string) {
	s.t.Helper()
	s.told = nil
	if err := look(s.tell); err != nil {
		s.t.Fatal(err)
	}
	slices.Sort(s.told)
	slices.Sort(want)
	if !slices.Equal(s.told, want) {
		s.t.Errorf("told %v, want %v", s.told, want)
	}
}

func TestComeAndGo(t *testing.T) {
	s := newScene(t, "/user.slice/user-*.slice", "/pods/**/*.scope", "/solo")
	s.made("/user.slice/user-1.slice/deep/er", "/user.slice/other", "/system.slice/user-9.slice")
	s.expect(s.Scan, "+/user.slice/user-1.slice")
	s.made("/user.slice/user-2.slice", "/user.slice/else", "/solo", "/pods/a/b/c.scope", "/pods/a/d.scope")
	s.expect(s.Changes, "+/user.slice/user-2.slice", "+/solo", "+/pods/a/b/c.scope", "+/pods/a/d.scope")
	s.made("/pods/a/b/e.scope")
	s.removed("/user.slice/user-1.slice")
	s.expect(s.Changes, "-/user.slice/user-1.slice", "+/pods/a/b/e.scope")
	s.removed("/pods/a")
	s.expect(s.Changes, "-/pods/a/b/c.scope", "-/pods/a/b/e.scope", "-/pods/a/d.scope")
	s.made("/pods/a/d.scope")
	s.expect(s.Changes, "+/pods/a/d.scope")
	s.expect(s.Scan)
}

// One that is removed and made anew before anybody looks is another one. The
// directories in between take the inode that became free.
func TestMadeAnew(t *testing.T) {
	s := newScene(t, "/a/*")
	s.made("/a/x")
	s.expect(s.Scan, "+/a/x")
	s.removed("/a/x")
	s.made("/between", "/a/x")
	s.expect(s.Changes, "-/a/x", "+/a/x")
	s.removed("/a")
	s.made("/between2", "/between3", "/a/x/below")
	s.expect(s.Changes, "-/a/x", "+/a/x")
	s.removed("/a/x")
	s.made("/between4", "/between5", "/a/x")
	s.expect(func(f func(Event)) error { return s.Recheck("/a/x", f) }, "-/a/x", "+/a/x")
	s.expect(s.Changes) // what inotify has to tell of it is old
	s.expect(func(f func(Event)) error { return s.Recheck("/a/x", f) })
	s.made("/a/y")
	s.expect(s.Changes, "+/a/y")
}

// Watches are given back with the directories that they were for.
func TestWatchesAreGivenBack(t *testing.T) {
	s := newScene(t, "/a/**")
	s.made("/a/b/c/d")
	s.expect(s.Scan, "+/a/b", "+/a/b/c", "+/a/b/c/d")
	before := len(s.watches)
	for range 20 {
		s.made("/a/b/x/y")
		s.expect(s.Changes, "+/a/b/x", "+/a/b/x/y")
		s.removed("/a/b/x")
		s.expect(s.Changes, "-/a/b/x", "-/a/b/x/y")
	}
	if len(s.watches) != before || len(s.watched) != before {
		t.Errorf("%d watches and %d watched, at first %d", len(s.watches), len(s.watched), before)
	}
}
