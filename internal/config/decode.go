package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// maxSize is far more than a config with every key and comment has.
const maxSize = 1 << 20

// Parse reads one YAML document; name stands in the errors. When anything is
// wrong it gives Errors and no config. An empty document is the linux profile.
func Parse(name string, data []byte) (*Config, error) {
	d := decoder{file: name, nodes: map[string]found{}}
	root := d.parse(data)
	if root != nil {
		d.section("", root)
	}
	c := d.apply()
	if len(d.errs) == 0 {
		d.check(c)
	}
	if err := d.errs.sorted(); err != nil {
		return nil, err
	}
	return c, nil
}

// found is a setting in the file: where its key stands, and its value.
type found struct {
	at    position
	value *yaml.Node
}

// decoder is one file on its way to a config.
type decoder struct {
	file  string
	errs  Errors
	nodes map[string]found
	// prefix stands before the keys of an item of a list: "domains[0]."
	prefix string
}

func (d *decoder) fail(p position, path, format string, args ...any) {
	path = strings.TrimSuffix(d.prefix+path, ".")
	d.errs = append(d.errs, &Error{File: d.file, Line: p.line, Column: p.column, Key: path, What: fmt.Sprintf(format, args...)})
}

// parse gives the document's root, nil when there is none.
func (d *decoder) parse(data []byte) *yaml.Node {
	if len(data) > maxSize {
		d.fail(position{}, "", "is %d bytes long, more than a config can be", len(data))
		return nil
	}
	decode := yaml.NewDecoder(bytes.NewReader(data))
	var first, second yaml.Node
	if err := decode.Decode(&first); errors.Is(err, io.EOF) {
		return nil
	} else if err != nil {
		d.syntax(err, data)
		return nil
	}
	if err := decode.Decode(&second); err == nil {
		d.fail(at(&second), "", "a second document begins here: a config is one")
	} else if !errors.Is(err, io.EOF) {
		d.syntax(err, data)
	}
	return first.Content[0]
}

var (
	syntaxLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)
	syntaxName = regexp.MustCompile(`^unknown anchor '(.*)'`)
)

// syntax takes the line out of an error of the YAML parser, which is where the
// construct begins that it could not read.
func (d *decoder) syntax(err error, data []byte) {
	what, line := err.Error(), 0
	if m := syntaxLine.FindStringSubmatch(what); m != nil {
		line, _ = strconv.Atoi(m[1])
		what = m[2]
	}
	if line == 0 {
		line = 1 + bytes.Count(data[:unreadable(what, data)], []byte("\n"))
	}
	d.fail(position{line: line}, "", "is no YAML: %s", what)
}

// unreadable finds the byte that the parser complains of without a line: a
// missing anchor or a byte that is no text; else it is on the first line.
func unreadable(what string, data []byte) int {
	if m := syntaxName.FindStringSubmatch(what); m != nil {
		return max(0, bytes.Index(data, []byte("*"+m[1])))
	}
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 || unicode.IsControl(r) && !unicode.IsSpace(r) {
			return i
		}
		i += size
	}
	return 0
}

// section collects the settings below path.
func (d *decoder) section(path string, n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return // all of its keys are commented out
	}
	if n.Kind != yaml.MappingNode {
		d.fail(at(n), path, "must have keys below it")
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		d.entry(path, n.Content[i], n.Content[i+1])
	}
}

func (d *decoder) entry(section string, name, value *yaml.Node) {
	if name.Kind != yaml.ScalarNode {
		d.fail(at(name), section, "a key must be a word")
		return
	}
	path := name.Value
	if section != "" {
		path = section + "." + name.Value
	}
	if first, twice := d.nodes[path]; twice {
		d.fail(at(name), path, "is set twice, first at line %d", first.at.line)
		return
	}
	d.nodes[path] = found{at(name), value}
	switch {
	case value.Kind == yaml.AliasNode:
		d.fail(at(value), path, "is an alias (*%s): write the value itself", quoteBare(value.Value))
	case slices.Contains(sections(), path):
		d.section(path, value)
	case d.prefix != "" && (path == "cgroup" || path == "name"):
	case find(path) == nil:
		d.unknown(section, path, name)
	}
}

func (d *decoder) unknown(section, path string, name *yaml.Node) {
	d.fail(at(name), quoteBare(path), "is no key; the nearest one is %s", nearest(section, name.Value))
}

// apply lays the settings over the defaults of their profile.
func (d *decoder) apply() *Config {
	c := d.defaults()
	for i := range schema {
		k := &schema[i]
		f, ok := d.nodes[k.path]
		if !ok {
			continue
		}
		err := k.read(c, f.value)
		var several Errors
		switch {
		case errors.As(err, &several):
			d.errs = append(d.errs, several...)
		case err != nil:
			d.fail(whereOf(err, f.value), k.path, "%s", err)
		}
		c.set[k.path] = f.at
	}
	c.layRules()
	return c
}

// whereOf gives the place of a wrong value, or of the wrong item of a list.
func whereOf(err error, n *yaml.Node) position {
	var item *itemError
	if errors.As(err, &item) {
		return item.at
	}
	return at(n)
}

// defaults chooses by the settings that other defaults hang on; what is wrong
// with them is found when they are applied.
func (d *decoder) defaults() *Config {
	var choice Config
	for _, path := range []string{"profile", "android.low_ram", "pressure.rules"} {
		if f, ok := d.nodes[path]; ok {
			_ = find(path).read(&choice, f.value)
		}
	}
	c := Default(choice.Profile)
	c.Source = d.file
	if choice.Machine.Pressure.LowRAM {
		c.lowRAM()
	}
	return c
}

// quoteBare shows a word of the file as it is when it is plain.
func quoteBare(s string) string {
	for _, r := range s {
		if r <= ' ' || r > '~' {
			return quote(s)
		}
	}
	if len(s) > 64 || s == "" {
		return quote(s)
	}
	return s
}
