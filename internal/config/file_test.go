package config

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/lmkd/lmkd/configs"
)

// documented is one setting of the annotated file.
type documented struct {
	key      string
	value    string            // behind the name
	defaults map[string]string // by profile or low_ram, "" for all others
	prose    int               // lines of it
}

var (
	sectionLine = regexp.MustCompile(`^([a-z]+):$`)
	settingLine = regexp.MustCompile(`^ *#?([a-z_]+): (.+)$`)
	defaultLine = regexp.MustCompile(`^ *# Default: (.+)\.$`)
)

// annotated takes the file apart by its own rule: prose has a space after the
// #, a setting has none.
func annotated(t *testing.T) []documented {
	t.Helper()
	var out []documented
	section, next := "", documented{}
	for line := range strings.Lines(string(configs.Default)) {
		line = strings.TrimSuffix(line, "\n")
		if len(line) > 84 {
			t.Errorf("line is %d wide: %s", len(line), line)
		}
		switch m, trimmed := settingLine.FindStringSubmatch(line), strings.TrimSpace(line); {
		case defaultLine.MatchString(line):
			next.defaults = defaults(defaultLine.FindStringSubmatch(line)[1])
		case trimmed == "#" || strings.HasPrefix(trimmed, "# "):
			next.prose++
		case sectionLine.MatchString(line):
			section, next = sectionLine.FindStringSubmatch(line)[1]+".", documented{}
		case m != nil:
			if !strings.HasPrefix(line, " ") {
				section = ""
			}
			next.key, next.value = section+m[1], m[2]
			out = append(out, next)
			next = documented{}
		case trimmed != "":
			t.Errorf("neither prose nor setting: %s", line)
		}
	}
	return out
}

// defaults reads "5%; android: 0%".
func defaults(s string) map[string]string {
	out := map[string]string{}
	for i, part := range strings.Split(s, "; ") {
		if who, value, ok := strings.Cut(part, ": "); ok && i > 0 {
			out[who] = value
		} else {
			out[""] = part
		}
	}
	return out
}

func (d *documented) of(who string) string {
	if v, ok := d.defaults[who]; ok {
		return v
	}
	return d.defaults[""]
}

// Every key of the schema stands in the file, in the same order, with prose.
func TestFileDocumentsEveryKey(t *testing.T) {
	var got []string
	for _, d := range annotated(t) {
		got = append(got, d.key)
		if d.prose == 0 || d.defaults == nil && d.key != "profile" {
			t.Errorf("%s has no prose or no default", d.key)
		}
	}
	if a, b := strings.Join(got, "\n"), strings.Join(Keys(), "\n"); a != b {
		t.Errorf("the file has\n%s\n\nand the schema\n%s", a, b)
	}
}

// What the file says of the defaults is what the code has.
func TestFileTellsTheDefaults(t *testing.T) {
	for _, d := range annotated(t) {
		k := find(d.key)
		if k == nil || d.key == "profile" {
			continue
		}
		only, _ := split(d.key)
		for _, p := range Profiles() {
			if only == "android" && p != Android {
				continue
			}
			if want := k.show(Default(p)); d.of(p.String()) != want {
				t.Errorf("%s in %s: the file says %s, the code %s", d.key, p, d.of(p.String()), want)
			}
		}
		low := Default(Android)
		low.lowRAM()
		if want := k.show(low); only == "android" && d.key != "android.low_ram" && d.of("low_ram") != want {
			t.Errorf("%s with low_ram: the file says %s, the code %s", d.key, d.of("low_ram"), want)
		}
		if d.value != d.of("linux") {
			t.Errorf("%s: the commented value is %s, the default %s", d.key, d.value, d.of("linux"))
		}
	}
}

// The file as installed is the linux profile, and with a profile alone changed
// it is that one.
func TestFileIsTheDefault(t *testing.T) {
	for _, p := range Profiles() {
		text := strings.Replace(string(configs.Default), "\nprofile: linux\n", fmt.Sprintf("\nprofile: %s\n", p), 1)
		c, err := Parse("lmkd.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		equal(t, c, Default(p))
	}
}

// With every # taken away the file is still read, and changes nothing.
func TestFileUncommented(t *testing.T) {
	general, android, _ := strings.Cut(string(configs.Default), "\nandroid:\n")
	bare := regexp.MustCompile(`(?m)^( *)#([a-z])`)
	for p, text := range map[Profile]string{
		Linux:   bare.ReplaceAllString(general, "$1$2"),
		Android: "profile: android\nandroid:\n" + bare.ReplaceAllString(android, "$1$2"),
	} {
		c, err := Parse("lmkd.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(text, "\n  # Default"); p == Linux && len(c.set) != n+1 {
			t.Errorf("%d settings of %d were read", len(c.set), n+1)
		}
		equal(t, c, Default(p))
	}
}
