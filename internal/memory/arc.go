package memory

// arcStats are the two figures of ZFS's cache that matter here: what it holds
// and what it keeps whatever happens. The kernel's MemAvailable counts neither
// (OpenZFS, module/zfs/arc.c, kstat "arcstats": "name type data").
type arcStats struct{ size, min uint64 }

// reclaimable is what the cache gives back under pressure.
func (a *arcStats) reclaimable() uint64 {
	if a.size < a.min {
		return 0
	}
	return a.size - a.min
}

func parseArcstats(l *lines, a *arcStats) error {
	*a = arcStats{}
	for {
		line, ok := l.next()
		if !ok {
			return l.err
		}
		if !a.set(line) {
			return l.malformed(line)
		}
	}
}

// set stores one line; false is a known key whose value is malformed.
func (a *arcStats) set(line []byte) bool {
	key, rest := word(line)
	var into *uint64
	switch string(key) {
	case "size":
		into = &a.size
	case "c_min":
		into = &a.min
	default:
		return true
	}
	_, rest = word(rest) // the type
	digits, _ := word(rest)
	n, ok := number(digits)
	*into = n
	return ok
}
