package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/test/vm/guest"
)

// defineThrash is the working set that does not fit: anonymous memory up to a
// rest, and a file that is larger than the rest, in use by several threads.
func defineThrash(fs *flag.FlagSet) func() error {
	path := fs.String("file", "/bulk/bulk", "the `file` to touch")
	rest := fs.Int("rest", 40, "`MB` to leave available when filling memory")
	threads := fs.Int("threads", 4, "`number` of threads")
	return func() error {
		f, err := os.Open(*path)
		if err != nil {
			return err
		}
		info, err := f.Stat()
		if err != nil {
			return err
		}
		m, err := sys.MapShared(int(f.Fd()), 0, int(info.Size()), false)
		if err != nil {
			return err
		}
		if e := sys.AdviseRandom(m.Bytes()); e != 0 {
			return fmt.Errorf("advise on %s: %w", *path, e)
		}
		held, err := eatUntil(uint64(*rest) * mb)
		if err != nil {
			return err
		}
		fmt.Println("ready")
		for range *threads {
			go thrash(m.Bytes(), held)
		}
		return hold()
	}
}

// eatUntil fills memory until no more than rest is available, and gives what it
// filled, a megabyte each.
func eatUntil(rest uint64) ([][]byte, error) {
	f := newFiller()
	var held [][]byte
	for {
		available, err := guest.MemAvailable()
		if err != nil {
			return nil, err
		}
		if available <= rest {
			return held, nil
		}
		b, err := f.eat(mb)
		if err != nil {
			return nil, err
		}
		held = append(held, b)
	}
}

// thrash uses the file and what is held alike, a page at random each.
func thrash(b []byte, held [][]byte) {
	runtime.LockOSThread()
	f := newFiller()
	page := int(sys.Pagesize())
	pages := uint64(len(b) / page)
	var sum byte
	for {
		for range 1024 {
			sum += b[int(f.next()%pages)*page]
			if len(held) > 0 {
				at := f.next()
				held[at>>32%uint64(len(held))][int(at%uint64(mb/page))*page]++
			}
		}
		runtime.KeepAlive(sum) // the compiler must not drop the reads
	}
}

// defineStream is a backup, a copy, a film: it fills the page cache and is no
// reason to kill anybody.
func defineStream(fs *flag.FlagSet) func() error {
	path := fs.String("file", "/bulk/bulk", "the `file` to read")
	return func() error {
		f, err := os.Open(*path)
		if err != nil {
			return err
		}
		buf := make([]byte, 256<<10)
		for {
			_, err := f.Read(buf)
			if errors.Is(err, io.EOF) {
				_, err = f.Seek(0, io.SeekStart)
			}
			if err != nil {
				return err
			}
		}
	}
}

// defineTmpfs uses memory that belongs to no process. A full file system ends
// its growth and not the hog.
func defineTmpfs(fs *flag.FlagSet) func() error {
	dir := fs.String("dir", "/dev/shm", "the `directory` to fill")
	rate := fs.Float64("rate", 40, "`MB/s`, 0 for as fast as it can")
	return func() error {
		f, err := os.Create(filepath.Join(*dir, fmt.Sprintf("hog-%d", os.Getpid())))
		if err != nil {
			return err
		}
		chunk, err := newFiller().eat(mb)
		if err != nil {
			return err
		}
		for {
			if _, err := f.Write(chunk); err != nil {
				fmt.Println("full:", err)
				return hold()
			}
			if *rate > 0 {
				time.Sleep(time.Duration(float64(time.Second) / *rate))
			}
		}
	}
}
