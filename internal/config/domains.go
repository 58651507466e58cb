package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/lmkd/lmkd/internal/cgroups"
	"github.com/lmkd/lmkd/internal/engine"
)

// Domain is one item of the list of domains: cgroups that are judged each for
// itself.
type Domain struct {
	Name    string // "" is called by its path
	Cgroups []cgroups.Pattern
	Policy  engine.Policy
	Rules   int // how many of the rules are its own
}

// Called gives the name of the domain of the cgroup at path.
func (d *Domain) Called(path string) string {
	switch {
	case d.Name == "":
		return path
	case len(d.Cgroups) == 1 && !d.Cgroups[0].IsGlob():
		return d.Name
	}
	return d.Name + ":" + path
}

var (
	// domainSections are what an item can set as the file does for the machine.
	domainSections = []string{"triggers", "cadence", "pressure", "victim", "kill", "relief"}
	// notInDomains are settings of these that a cgroup has no use for.
	notInDomains = map[string]string{
		"cadence.watermark_refresh": "a cgroup has no watermarks",
		"kill.watchdog":             "there is one watchdog, for the daemon",
	}
	cgroupPaths = codec[cgroups.Pattern]{"a path from the root of all cgroups such as /user.slice/user-*.slice, or a list of them", cgroups.ParsePattern, cgroups.Pattern.String}
	domainNames = codec[string]{"a word", parseDomainName, quote}
)

// The list stands last in the schema, and reads by the schema itself.
func init() { schema = append(schema, domainList("domains", domains)) }

// domainList is the setting that is a list of domains. An item begins with what
// the file says of the machine, which has been read by then.
func domainList(path string, field func(*Config) *[]Domain) key {
	return key{
		path: path,
		read: func(c *Config, n *yaml.Node) error {
			if n.Kind != yaml.SequenceNode {
				return errors.New("is no list: write one item behind each -, or [] for none")
			}
			var wrong Errors
			for i, item := range n.Content {
				d := domainDecoder{decoder{file: c.Source, prefix: fmt.Sprintf("%s[%d].", path, i), nodes: map[string]found{}}}
				*field(c) = append(*field(c), d.read(c, item))
				wrong = append(wrong, d.errs...)
			}
			return wrong.orNil()
		},
		show: func(c *Config) string {
			var names []string
			for i := range *field(c) {
				names = append(names, "{"+(*field(c))[i].where()+"}")
			}
			return "[" + strings.Join(names, ", ") + "]"
		},
		fields: func(c *Config) []any { return []any{field(c)} },
	}
}

// where names the cgroups of an item.
func (d *Domain) where() string {
	texts := make([]string, len(d.Cgroups))
	for i := range d.Cgroups {
		texts[i] = d.Cgroups[i].String()
	}
	return strings.Join(texts, " ")
}

// domainDecoder is one item on its way to a Domain.
type domainDecoder struct{ decoder }

// read lays what an item sets over what holds for cgroups.
func (d *domainDecoder) read(c *Config, n *yaml.Node) (out Domain) {
	if n.Kind != yaml.MappingNode {
		d.fail(at(n), "", "is no domain: write its cgroup, such as - cgroup: /user.slice/user-*.slice")
		return out
	}
	d.section("", n)
	for path, f := range d.nodes {
		d.allowed(path, f)
	}
	d.word("cgroup", n, func(v *yaml.Node) (err error) { out.Cgroups, err = readPatterns(v); return err })
	if _, ok := d.nodes["name"]; ok {
		d.word("name", n, func(v *yaml.Node) (err error) { out.Name, err = scalar(v, domainNames); return err })
	}
	own := d.settings(c)
	out.Policy, out.Rules = own.Machine, len(own.Rules)
	return out
}

// allowed refuses what is a key of the file but none of a domain.
func (d *domainDecoder) allowed(path string, f found) {
	section, leaf := split(path)
	switch why, no := notInDomains[path]; {
	case no:
		d.fail(f.at, path, "is no key of a domain: %s", why)
	case section == "" && leaf != "cgroup" && leaf != "name" && !slices.Contains(domainSections, leaf):
		d.fail(f.at, path, "is no key of a domain; there are cgroup, name, %s", strings.Join(domainSections, ", "))
	}
}

// word reads one of the item's own words; cgroup must be there.
func (d *domainDecoder) word(name string, item *yaml.Node, read func(*yaml.Node) error) {
	f, ok := d.nodes[name]
	if !ok {
		d.fail(at(item), name, "is not set: write %s", cgroupPaths.like)
		return
	}
	if err := read(f.value); err != nil {
		d.fail(whereOf(err, f.value), name, "%s", err)
	}
}

// settings makes the policy of an item: victims and kills as for the machine,
// pressure as for a cgroup, and what the item sets.
func (d *domainDecoder) settings(c *Config) *Config {
	own := &Config{Source: c.Source, Machine: engine.Cgroup(&c.Machine), Protect: c.Protect, set: map[string]position{}}
	for i := range schema {
		k := &schema[i]
		f, ok := d.nodes[k.path]
		section, _ := split(k.path)
		if _, no := notInDomains[k.path]; !ok || no || !slices.Contains(domainSections, section) {
			continue
		}
		if err := k.read(own, f.value); err != nil {
			d.fail(whereOf(err, f.value), k.path, "%s", err)
		}
		own.set[k.path] = f.at
	}
	d.checkTimes(own)
	d.checkPressure(own)
	d.checkBands(own)
	machine := Config{Profile: c.Profile, Protect: own.Protect, Rules: append(slices.Clip(own.Rules), c.Rules...)}
	machine.layRules()
	own.Machine.Victim.Rules = machine.Machine.Victim.Rules
	return own
}

// readPatterns reads one pattern or a list of them.
func readPatterns(n *yaml.Node) (out []cgroups.Pattern, err error) {
	items := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		items = n.Content
	}
	for _, item := range items {
		p, err := scalar(item, cgroupPaths)
		if err != nil {
			return nil, &itemError{at(item), err}
		}
		out = append(out, p)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("is empty: write %s", cgroupPaths.like)
	}
	return out, nil
}

func parseDomainName(s string) (string, error) {
	if s == "" || s == "machine" || strings.ContainsAny(s, "/ \t\n:") {
		return "", errors.New("is no name: it would be taken for a path, or for the machine")
	}
	return s, nil
}

// explainDomains says what is judged beside the machine.
func (c *Config) explainDomains() (out []string) {
	for i := range c.Domains {
		d := &c.Domains[i]
		p := &d.Policy.Pressure
		s := fmt.Sprintf("I judge each cgroup that %s names for itself, against the least of memory.max and memory.high on its way to the root", d.where())
		s += fmt.Sprintf(": when less than %s of that limit is available and all tasks in it stall at least %d%% of the time for longer than %s", floorOf(p), p.StallMax, FormatTime(p.ThrashingWindow))
		if p.LowAvailable == 0 || p.StallMax >= 100 {
			s += " (switched off)"
		}
		s += ", one process in it may die"
		if p.MaxAvailable > 0 {
			s += fmt.Sprintf("; never while more than %d%% of it is available, caches included, and never without a limit", p.MaxAvailable)
		}
		out = append(append(out, s+"."), explainActs("its", d.Policy.Relief)...)
	}
	return out
}
