package process

import "bytes"

// memoryStat is what matters of memory.stat of a cgroup of version 2 (mm/memcontrol.c,
// memory_stats): "KEY BYTES" on each line. swap is of another file.
type memoryStat struct{ anon, shmem, mapped, unevictable, swap uint64 }

// parseMemoryStat takes what it knows; false is a known key with no number, or
// no known key at all.
func parseMemoryStat(b []byte) (s memoryStat, ok bool) {
	for len(b) > 0 {
		var line []byte
		line, b, _ = bytes.Cut(b, []byte{'\n'})
		key, value, _ := bytes.Cut(line, []byte{' '})
		var into *uint64
		switch string(key) {
		case "anon":
			into = &s.anon
		case "shmem":
			into = &s.shmem
		case "file_mapped":
			into = &s.mapped
		case "unevictable":
			into = &s.unevictable
		default:
			continue
		}
		if *into, ok = number(value); !ok || *into > maxPages<<12 {
			return memoryStat{}, false
		}
	}
	return s, ok
}
