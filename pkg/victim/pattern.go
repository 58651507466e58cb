package victim

// Literal matches one text.
type Literal string

// Match compares whole texts.
func (l Literal) Match(text []byte) bool { return string(text) == string(l) }

// OneOf matches any of several texts.
type OneOf []string

// Match compares whole texts.
func (o OneOf) Match(text []byte) bool {
	for _, s := range o {
		if string(text) == s {
			return true
		}
	}
	return false
}

// Globs matches what any of several Globs does.
type Globs []Glob

// Match tries one after the other.
func (g Globs) Match(text []byte) bool {
	for _, one := range g {
		if one.Match(text) {
			return true
		}
	}
	return false
}

// Glob matches texts as a shell does paths: * stands for any bytes but /, **
// for any bytes, ? for one byte but /; all else for itself.
type Glob string

// Match walks both at once, and takes one step back for each star that took too
// little: at most len(g)*len(text) steps, and no memory.
func (g Glob) Match(text []byte) bool {
	var near, far retry // after the last * and the last **
	i, j := 0, 0
	for i < len(text) || j < len(g) {
		switch {
		case j+1 < len(g) && g[j] == '*' && g[j+1] == '*':
			j += 2
			far, near = retry{i, j, true}, retry{}
		case j < len(g) && g[j] == '*':
			j++
			near = retry{i, j, true}
		case j < len(g) && i < len(text) && (g[j] == text[i] || g[j] == '?' && text[i] != '/'):
			i, j = i+1, j+1
		case near.set && near.text < len(text) && text[near.text] != '/':
			near.text++
			i, j = near.text, near.glob
		case far.set && far.text < len(text):
			far.text++
			near = retry{}
			i, j = far.text, far.glob
		default:
			return false
		}
	}
	return true
}

// retry is where to go on when a star must take one byte more.
type retry struct {
	text, glob int
	set        bool
}
