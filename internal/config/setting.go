package config

// Setting is one effective value, as the file would spell it.
type Setting struct {
	Key   string `json:"key"`
	Value string `json:"value"`
	Line  int    `json:"line,omitempty"` // where the file sets it, 0 for a default
}

// Settings lists every effective setting in the order of the annotated file;
// of those that have two names, the one that the file used, else the general.
func (c *Config) Settings() []Setting {
	var out []Setting
	for i := range schema {
		k := &schema[i]
		p, set := c.set[k.path]
		if set || !c.shownElsewhere(k) {
			out = append(out, Setting{k.path, k.show(c), p.line})
		}
	}
	return out
}

// shownElsewhere tells whether a key that the file does not set is one of
// Android's beside the general name, or a general name beside Android's that
// the file sets.
func (c *Config) shownElsewhere(k *key) bool {
	section, _ := split(k.path)
	if section == "android" && c.Profile != Android {
		return true
	}
	for i := range schema {
		other := &schema[i]
		if other == k || !k.clashes(other) {
			continue
		}
		if _, set := c.set[other.path]; set || section == "android" {
			return true
		}
	}
	return false
}
