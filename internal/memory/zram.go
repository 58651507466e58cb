package memory

import (
	"bytes"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/pkg/pressure"
)

// maxZram is how many zram swap devices are watched; swapon(2) takes at most
// MAX_SWAPFILES, 32 less a few.
const maxZram = 32

// zrams are the mm_stat files of the zram devices that are in use as swap
// (Documentation/admin-guide/blockdev/zram.rst). swapon and swapoff are noticed
// by polling /proc/swaps, whose descriptor reports an error condition once
// after each of them (mm/swapfile.c, swaps_poll), and, in a captured tree, by a
// changed SwapTotal. How much of each is taken stands in /proc/swaps too, which is
// read with every sample while there is one.
type zrams struct {
	swaps     file
	path      []byte // "ROOT/sys/block/" and room for "zramN/mm_stat\0"
	prefix    int    // the length of "ROOT/sys/block/"
	fds       [maxZram]sys.FD
	count     int
	swapTotal uint64
	stale     bool // the set of devices must be looked up again
}

func (z *zrams) open(root string) error {
	var err error
	z.swaps, err = openFile(root, "proc/swaps")
	block := below(root, "sys/block/")
	z.path = make([]byte, len(block), len(block)+64)
	z.prefix = copy(z.path, block)
	z.stale = true
	return err
}

// read sums the devices into s, and looks for the devices anew when the swap
// areas have changed. swapTotal is meminfo's.
func (z *zrams) read(swapTotal uint64, buf []byte, s *pressure.Sample) error {
	if !z.swaps.isOpen() {
		return nil
	}
	if z.changed(swapTotal) {
		if err := z.refresh(buf); err != nil {
			return err
		}
		z.swapTotal = swapTotal
	}
	if z.count == 0 {
		return nil
	}
	l := z.swaps.lines(buf)
	if err := parseSwaps(&l, &s.Zram); err != nil {
		return err
	}
	s.Zram.Limited = true
	for i := range z.fds[:z.count] {
		if err := z.add(z.fds[i].Int(), buf, &s.Zram); err != nil {
			return err
		}
	}
	if !s.Zram.Limited {
		s.Zram.Room = 0
	}
	if s.Zram.Original > 0 {
		s.Has |= pressure.HasZram
	}
	return nil
}

func (z *zrams) changed(swapTotal uint64) bool {
	ready, e := sys.PollIn(z.swaps.fd.Int())
	return z.stale || swapTotal != z.swapTotal || e == 0 && ready&sys.Fail != 0
}

// refresh opens the mm_stat of every zram device that /proc/swaps names.
func (z *zrams) refresh(buf []byte) error {
	z.closeDevices()
	l := z.swaps.lines(buf)
	for {
		line, ok := l.next()
		if !ok {
			break
		}
		if name := zramName(line); name != nil {
			z.openDevice(name)
		}
	}
	z.stale = l.err != nil
	return l.err
}

// parseSwaps adds the sizes of the zram devices in /proc/swaps and what is taken
// of them.
func parseSwaps(l *lines, sum *pressure.Zram) error {
	for {
		line, ok := l.next()
		if !ok {
			return l.err
		}
		if zramName(line) != nil && !addSwap(line, sum) {
			return l.malformed(line)
		}
	}
}

// addSwap adds one line of /proc/swaps: path, type, size and used in KiB,
// priority (mm/swapfile.c, swap_show).
func addSwap(line []byte, sum *pressure.Zram) bool {
	_, rest := word(line)
	_, rest = word(rest)
	var n [2]uint64
	for i := range n {
		var digits []byte
		digits, rest = word(rest)
		kib, ok := number(digits)
		if !ok {
			return false
		}
		if n[i], ok = product(kib, 1024); !ok {
			return false
		}
	}
	sum.Size += n[0]
	sum.Used += n[1]
	return true
}

// zramName gives "zram0" of a line of /proc/swaps that begins "/dev/zram0 ",
// nil of any other.
func zramName(line []byte) []byte {
	path, _ := word(line)
	name := path[bytes.LastIndexByte(path, '/')+1:]
	digits, ok := bytes.CutPrefix(name, []byte("zram"))
	if !ok || len(digits) > 9 {
		return nil
	}
	if _, ok = number(digits); !ok {
		return nil
	}
	return name
}

// openDevice adds one device. One that went away in between has no file, and
// no data either.
func (z *zrams) openDevice(name []byte) {
	if z.count == len(z.fds) {
		return
	}
	z.path = append(append(z.path[:z.prefix], name...), "/mm_stat\x00"...)
	fd, e := sys.OpenAt(sys.CWD, z.path, sys.ReadOnly)
	if e != 0 {
		return
	}
	z.fds[z.count] = fd
	z.count++
}

// add sums one device. One that was removed answers ENODEV until the devices
// are looked up again.
func (z *zrams) add(fd int, buf []byte, sum *pressure.Zram) error {
	n, e := sys.ReadFull(fd, buf)
	if e == sys.ENODEV {
		z.stale = true
		return nil
	}
	if e != 0 {
		return &sys.OpError{Doing: "read mm_stat of a zram device", Errno: e}
	}
	l := lines{buf: buf, end: n, fd: -1, name: "mm_stat"}
	return parseMmStat(&l, sum)
}

// parseMmStat adds the first four numbers of an mm_stat: orig_data_size,
// compr_data_size, mem_used_total and mem_limit, where 0 is none.
func parseMmStat(l *lines, sum *pressure.Zram) error {
	line, _ := l.next()
	rest := line
	var n [4]uint64
	for i := range n {
		var digits []byte
		digits, rest = word(rest)
		var ok bool
		if n[i], ok = number(digits); !ok {
			return l.malformed(line)
		}
	}
	sum.Original += n[0]
	sum.Compressed += n[1]
	sum.MemUsed += n[2]
	sum.Limited = sum.Limited && n[3] > 0
	sum.Room += n[3] - min(n[3], n[2])
	return nil
}

func (z *zrams) closeDevices() {
	for i := range z.fds[:z.count] {
		_ = z.fds[i].Close()
	}
	z.count = 0
}
