package main

import (
	"encoding/binary"

	"github.com/lmkd/lmkd/internal/sys"
)

const mb = 1 << 20

// filler writes half-random pages: the first half of each is random, the other
// zero, which compresses to about half, as real memory does.
type filler struct{ state uint64 }

func newFiller() *filler { return &filler{uint64(sys.Now())*2685821657736338717 | 1} }

// next is one step of xorshift64.
func (f *filler) next() uint64 {
	f.state ^= f.state << 13
	f.state ^= f.state >> 7
	f.state ^= f.state << 17
	return f.state
}

// fill fills b, whole pages.
func (f *filler) fill(b []byte) {
	page := int(sys.Pagesize())
	for at := 0; at < len(b); at += page {
		half := b[at : at+page/2]
		for i := 0; i < len(half); i += 8 {
			binary.NativeEndian.PutUint64(half[i:], f.next())
		}
	}
}

// eat maps and fills size bytes.
func (f *filler) eat(size int) ([]byte, error) {
	b, err := sys.MapPages(size)
	if err != nil {
		return nil, err
	}
	f.fill(b)
	return b, nil
}

// touch writes one byte of each page of b.
func touch(b []byte) {
	for at := 0; at < len(b); at += int(sys.Pagesize()) {
		b[at]++
	}
}
