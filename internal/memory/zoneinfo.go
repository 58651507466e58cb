package memory

import (
	"bytes"

	"github.com/lmkd/lmkd/pkg/pressure"
)

// zone is what one "Node N, zone NAME" section of /proc/zoneinfo says, in pages.
type zone struct {
	min, low, high, present uint64
	protection              uint64 // the largest lowmem_reserve
}

// parseZoneinfo sums the watermarks of all populated zones of all nodes, each
// with the largest value of its protection array added (mm/vmstat.c,
// zoneinfo_show_print). pageSize turns pages into bytes.
func parseZoneinfo(l *lines, pageSize uint64, w *pressure.Watermarks) error {
	*w = pressure.Watermarks{At: w.At}
	var z zone
	for {
		line, ok := l.next()
		if !ok {
			break
		}
		if bytes.HasPrefix(line, []byte("Node ")) {
			z.addTo(w, pageSize)
			z = zone{}
			continue
		}
		if !z.set(line) {
			return l.malformed(line)
		}
	}
	z.addTo(w, pageSize)
	return l.err
}

// addTo adds a populated zone to the sum; an unpopulated one has watermarks
// too, but no page that they could be compared with.
func (z *zone) addTo(w *pressure.Watermarks, pageSize uint64) {
	if z.present == 0 {
		return
	}
	w.Min += (z.protection + z.min) * pageSize
	w.Low += (z.protection + z.low) * pageSize
	w.High += (z.protection + z.high) * pageSize
}

// set stores one line; false is a known key whose value is malformed. The keys
// of the per-CPU page sets end in a colon and are others.
func (z *zone) set(line []byte) bool {
	key, rest := word(line)
	var into *uint64
	switch string(key) {
	case "min":
		into = &z.min
	case "low":
		into = &z.low
	case "high":
		into = &z.high
	case "present":
		into = &z.present
	case "protection:":
		return z.setProtection(rest)
	default:
		return true
	}
	digits, _ := word(rest)
	n, ok := number(digits)
	*into = n
	return ok && n < maxPages
}

// maxPages keeps sums of byte sizes far from overflow: 2^40 pages of 4 KiB are
// 4 PiB in one zone.
const maxPages = 1 << 40

// setProtection takes "(0, 3019, 4811)".
func (z *zone) setProtection(b []byte) bool {
	b = bytes.TrimSpace(b)
	if len(b) < 2 || b[0] != '(' || b[len(b)-1] != ')' {
		return false
	}
	b = b[1 : len(b)-1]
	for more := true; more; {
		var item []byte
		item, b, more = bytes.Cut(b, []byte(", "))
		n, ok := number(item)
		if !ok || n >= maxPages {
			return false
		}
		z.protection = max(z.protection, n)
	}
	return true
}
