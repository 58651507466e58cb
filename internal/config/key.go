package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// key is one setting: its path in the file and the only code that reads it from
// there or shows it.
type key struct {
	path   string
	read   func(c *Config, n *yaml.Node) error
	show   func(c *Config) string
	fields func(c *Config) []any // pointers to what it sets: two keys with one in common clash
}

// Keys lists the paths of all settings in the order of the table.
func Keys() []string {
	out := make([]string, len(schema))
	for i := range schema {
		out[i] = schema[i].path
	}
	return out
}

func find(path string) *key {
	for i := range schema {
		if schema[i].path == path {
			return &schema[i]
		}
	}
	return nil
}

// sections lists what keys stand below, in the order of the table.
func sections() []string {
	var out []string
	for i := range schema {
		if section, _ := split(schema[i].path); section != "" && !slices.Contains(out, section) {
			out = append(out, section)
		}
	}
	return out
}

// codec is how a kind of value is written.
type codec[T any] struct {
	like string // what to write: "a size such as 64MiB"
	read func(string) (T, error)
	show func(T) string
}

// text is a setting without a range.
func text[T any](path string, c codec[T], field func(*Config) *T) key {
	return key{
		path: path,
		read: func(cfg *Config, n *yaml.Node) error {
			v, err := scalar(n, c)
			if err == nil {
				*field(cfg) = v
			}
			return err
		},
		show:   func(cfg *Config) string { return c.show(*field(cfg)) },
		fields: func(cfg *Config) []any { return []any{field(cfg)} },
	}
}

// limits is a range, both ends included; with Zero, 0 is allowed below it.
type limits[T cmp.Ordered] struct {
	low, high T
	zero      bool
}

func (l limits[T]) allows(v T) bool {
	var zero T
	return v >= l.low && v <= l.high || l.zero && v == zero
}

// number is a setting with a range.
func number[T cmp.Ordered](path string, c codec[T], l limits[T], field func(*Config) *T) key {
	return text(path, codec[T]{like: c.like, show: c.show, read: func(s string) (T, error) {
		v, err := c.read(s)
		if err == nil && !l.allows(v) {
			err = outOfRange(l, c.show)
		}
		return v, err
	}}, field)
}

type rangeError string

func (e rangeError) Error() string { return string(e) }

func outOfRange[T cmp.Ordered](l limits[T], show func(T) string) error {
	or := ""
	if l.zero {
		or = "0 or "
	}
	return rangeError(fmt.Sprintf("is out of range: %s%s to %s", or, show(l.low), show(l.high)))
}

// clashes tells whether both keys set one field.
func (k *key) clashes(other *key) bool {
	var c Config
	mine := k.fields(&c)
	return slices.ContainsFunc(other.fields(&c), func(p any) bool { return slices.Contains(mine, p) })
}

// scalar takes the text out of a node and reads it.
func scalar[T any](n *yaml.Node, c codec[T]) (T, error) {
	var zero T
	if err := single(n, c.like); err != nil {
		return zero, err
	}
	v, err := c.read(n.Value)
	switch err.(type) {
	case nil:
		return v, nil
	case rangeError:
		return zero, fmt.Errorf("%s %w", quote(n.Value), err)
	}
	return zero, fmt.Errorf("%s %w: write %s", quote(n.Value), err, c.like)
}

// single makes sure that n is one value.
func single(n *yaml.Node, like string) error {
	switch {
	case n.Kind == yaml.MappingNode:
		return fmt.Errorf("has keys below it: write %s", like)
	case n.Kind == yaml.SequenceNode:
		return fmt.Errorf("is a list: write %s", like)
	case n.Tag == "!!null" && n.Style == 0:
		return fmt.Errorf("has no value: write %s, or leave the key out", like)
	}
	return nil
}

// quote shows a value from the file, cut and on one line.
func quote(s string) string {
	if len(s) > 40 {
		s = s[:37] + "..."
	}
	return fmt.Sprintf("%q", s)
}

// itemError is about one item of a list.
type itemError struct {
	at position
	error
}

// list is a setting of several values.
func list[T any](path string, c codec[T], field func(*Config) *[]T) key {
	return key{
		path: path,
		read: func(cfg *Config, n *yaml.Node) error {
			if n.Kind != yaml.SequenceNode {
				return fmt.Errorf("is no list: write %s, or [] for none", c.like)
			}
			var out []T
			for _, item := range n.Content {
				v, err := scalar(item, c)
				if err != nil {
					return &itemError{at(item), err}
				}
				out = append(out, v)
			}
			*field(cfg) = out
			return nil
		},
		show: func(cfg *Config) string {
			var items []string
			for _, v := range *field(cfg) {
				items = append(items, c.show(v))
			}
			return "[" + strings.Join(items, ", ") + "]"
		},
		fields: func(cfg *Config) []any { return []any{field(cfg)} },
	}
}
