package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/lmkd/lmkd/internal/engine"
	"github.com/lmkd/lmkd/pkg/pressure"
)

// actKey is one word of an act in the file.
type actKey struct {
	name string
	acts []engine.Act // which acts have it
	must bool         // and can not do without
	read func(r *engine.Relief, n *yaml.Node) error
}

var (
	everyAct = []engine.Act{engine.Notify, engine.Reclaim, engine.Freeze}
	lasting  = []engine.Act{engine.Reclaim, engine.Freeze}

	amounts = limits[uint64]{low: 1 << 20, high: 64 * tebi}
	lengths = limits[time.Duration]{low: 10 * time.Millisecond, high: time.Minute}
	rests   = limits[time.Duration]{low: time.Second, high: time.Hour}
)

// actKeys are the words of an act.
var actKeys = []actKey{
	actWord("at", everyAct, true, codec[pressure.Level]{"low, medium or critical", parseReliefLevel, pressure.Level.String},
		func(r *engine.Relief) *pressure.Level { return &r.At }),
	actWord("do", everyAct, true, codec[engine.Act]{"notify, reclaim or freeze", parseAct, engine.Act.String},
		func(r *engine.Relief) *engine.Act { return &r.Act }),
	{"cgroups", lasting, true, readCgroups},
	actWord("amount", []engine.Act{engine.Reclaim}, false, within(sizes, amounts), func(r *engine.Relief) *uint64 { return &r.Amount }),
	actWord("for", lasting, false, within(times, lengths), func(r *engine.Relief) *time.Duration { return &r.For }),
	actWord("pause", everyAct, false, within(times, rests), func(r *engine.Relief) *time.Duration { return &r.Pause }),
}

// actDefaults are what an act has that does not say otherwise.
var actDefaults = map[engine.Act]engine.Relief{
	engine.Notify:  {Pause: 30 * time.Second},
	engine.Reclaim: {Amount: 64 << 20, For: 2 * time.Second, Pause: 30 * time.Second},
	engine.Freeze:  {For: 10 * time.Second, Pause: 30 * time.Second},
}

func actWord[T any](name string, acts []engine.Act, must bool, c codec[T], field func(*engine.Relief) *T) actKey {
	return actKey{name, acts, must, func(r *engine.Relief, n *yaml.Node) error {
		v, err := scalar(n, c)
		if err == nil {
			*field(r) = v
		}
		return err
	}}
}

// within is a kind of value with a range.
func within[T uint64 | time.Duration](c codec[T], l limits[T]) codec[T] {
	return codec[T]{like: c.like, show: c.show, read: func(s string) (T, error) {
		v, err := c.read(s)
		if err == nil && !l.allows(v) {
			err = outOfRange(l, c.show)
		}
		return v, err
	}}
}

// acts is the setting that is a list of softer acts.
func acts(path string, field func(*Config) *[]engine.Relief) key {
	return key{
		path: path,
		read: func(c *Config, n *yaml.Node) error {
			if n.Kind != yaml.SequenceNode {
				return errors.New("is no list: write one act behind each -, or [] for none")
			}
			if len(n.Content) > engine.MaxRelief {
				return &itemError{at(n.Content[engine.MaxRelief]), fmt.Errorf("is one more than the %d acts that there may be", engine.MaxRelief)}
			}
			var out []engine.Relief
			for _, item := range n.Content {
				r, err := readAct(item)
				if err != nil {
					return err
				}
				out = append(out, r)
			}
			*field(c) = out
			return nil
		},
		show: func(c *Config) string {
			var items []string
			for i := range *field(c) {
				items = append(items, FormatAct(&(*field(c))[i]))
			}
			return "[" + strings.Join(items, ", ") + "]"
		},
		fields: func(c *Config) []any { return []any{field(c)} },
	}
}

// readAct reads "{at: medium, do: reclaim, cgroups: [/x.slice]}".
func readAct(n *yaml.Node) (r engine.Relief, err error) {
	if n.Kind != yaml.MappingNode || len(n.Content) == 0 {
		return r, &itemError{at(n), errors.New("is no act: write a level and what is done at it, such as {at: medium, do: notify}")}
	}
	seen := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, v := n.Content[i], n.Content[i+1]
		k := findActKey(name.Value)
		switch {
		case k == nil:
			return r, &itemError{at(name), fmt.Errorf("%s is no word of an act; there are %s", quoteBare(name.Value), actWords())}
		case seen[name.Value] != nil:
			return r, &itemError{at(name), fmt.Errorf("%s stands twice in the act", name.Value)}
		case v.Kind == yaml.AliasNode:
			return r, &itemError{at(v), fmt.Errorf("%s is an alias (*%s): write the value itself", name.Value, quoteBare(v.Value))}
		}
		seen[name.Value] = name
		if err := k.read(&r, v); err != nil {
			var item *itemError
			if errors.As(err, &item) {
				return r, &itemError{item.at, fmt.Errorf("%s: %w", name.Value, item.error)}
			}
			return r, &itemError{at(v), fmt.Errorf("%s: %w", name.Value, err)}
		}
	}
	return completeAct(n, r, seen)
}

// completeAct refuses words that mean nothing to the act, and fills in what it
// does not say.
func completeAct(n *yaml.Node, r engine.Relief, seen map[string]*yaml.Node) (engine.Relief, error) {
	for i := range actKeys {
		k := &actKeys[i]
		name, mine := seen[k.name], slices.Contains(k.acts, r.Act)
		switch {
		case k.must && mine && name == nil:
			return r, &itemError{at(n), fmt.Errorf("the act has no %s", k.name)}
		case name != nil && !mine:
			return r, &itemError{at(name), fmt.Errorf("%s means nothing to %s", k.name, r.Act)}
		}
	}
	byDefault := actDefaults[r.Act]
	if seen["amount"] == nil {
		r.Amount = byDefault.Amount
	}
	if seen["for"] == nil {
		r.For = byDefault.For
	}
	if seen["pause"] == nil {
		r.Pause = byDefault.Pause
	}
	return r, nil
}

func findActKey(name string) *actKey {
	for i := range actKeys {
		if actKeys[i].name == name {
			return &actKeys[i]
		}
	}
	return nil
}

func actWords() string {
	var names []string
	for i := range actKeys {
		names = append(names, actKeys[i].name)
	}
	return strings.Join(names, ", ")
}

func parseReliefLevel(s string) (pressure.Level, error) {
	for l := pressure.LevelLow; l <= pressure.LevelCritical; l++ {
		if s == l.String() {
			return l, nil
		}
	}
	return 0, errors.New("is no level that calls for anything")
}

func parseAct(s string) (engine.Act, error) {
	for _, a := range everyAct {
		if s == a.String() {
			return a, nil
		}
	}
	return 0, errors.New("is no act")
}

// readCgroups reads a pattern or a list of them.
func readCgroups(r *engine.Relief, n *yaml.Node) error {
	c := codec[string]{like: "a cgroup's path such as /system.slice/backup.service, with * for all but / and ** for everything, or a list of them", read: parseCgroup}
	items := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		items = n.Content
	}
	for _, item := range items {
		path, err := scalar(item, c)
		if err != nil {
			return &itemError{at(item), err}
		}
		r.Cgroups = append(r.Cgroups, path)
	}
	if len(items) == 0 {
		return fmt.Errorf("is empty: write %s", c.like)
	}
	return nil
}

// parseCgroup reads a pattern. Of the root there is nothing to reclaim or freeze.
func parseCgroup(s string) (string, error) {
	switch {
	case !strings.HasPrefix(s, "/"):
		return "", errors.New("does not begin with /, the root of all cgroups")
	case s == "/":
		return "", errors.New("is the root, which is the whole machine")
	case strings.HasSuffix(s, "/") || strings.Contains(s, "//"):
		return "", errors.New("has an empty segment")
	case slices.Contains(strings.Split(s, "/"), ".."):
		return "", errors.New("goes to ..: write the path from the root")
	}
	return s, nil
}

// FormatAct writes an act as it stands in a config, with everything that it has.
func FormatAct(r *engine.Relief) string {
	text := fmt.Sprintf("{at: %v, do: %v", r.At, r.Act)
	if r.Act != engine.Notify {
		text += ", cgroups: [" + strings.Join(r.Cgroups, ", ") + "]"
	}
	if r.Act == engine.Reclaim {
		text += ", amount: " + FormatSize(r.Amount)
	}
	if r.Act != engine.Notify {
		text += ", for: " + FormatTime(r.For)
	}
	return text + ", pause: " + FormatTime(r.Pause) + "}"
}
