package image

import (
	"bufio"
	"fmt"
	"io"
)

// Cpio writes an initramfs in the "newc" format that the kernel unpacks
// (Documentation/driver-api/early-userspace/buffer-format.rst). Directories
// must be written before what lies in them.
type Cpio struct {
	w     *bufio.Writer
	inode uint32
	err   error
}

// The file types of st_mode.
const (
	modeDir  = 0o040000
	modeFile = 0o100000
	modeChar = 0o020000
)

// NewCpio gives a writer of an archive on w.
func NewCpio(w io.Writer) *Cpio { return &Cpio{w: bufio.NewWriter(w)} }

// Dir adds a directory, "dev" for example.
func (c *Cpio) Dir(name string) { c.entry(name, modeDir|0o755, 0, 0, nil) }

// File adds a regular file with the permissions perm.
func (c *Cpio) File(name string, perm uint32, data []byte) {
	c.entry(name, modeFile|perm&0o777, 0, 0, data)
}

// Char adds a character device.
func (c *Cpio) Char(name string, major, minor uint32) {
	c.entry(name, modeChar|0o600, major, minor, nil)
}

// Close ends the archive and gives the first error of all writes.
func (c *Cpio) Close() error {
	c.entry("TRAILER!!!", 0, 0, 0, nil)
	if c.err == nil {
		c.err = c.w.Flush()
	}
	return c.err
}

func (c *Cpio) entry(name string, mode, major, minor uint32, data []byte) {
	c.inode++
	c.print("070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
		c.inode, mode, 0, 0, 1, 0, len(data), 0, 0, major, minor, len(name)+1, 0)
	c.print("%s\x00", name)
	c.pad(110 + len(name) + 1)
	if c.err == nil {
		_, c.err = c.w.Write(data)
	}
	c.pad(len(data))
}

// pad fills up to a multiple of four bytes.
func (c *Cpio) pad(size int) {
	c.print("%s", "\x00\x00\x00"[:(4-size%4)%4])
}

func (c *Cpio) print(format string, args ...any) {
	if c.err == nil {
		_, c.err = fmt.Fprintf(c.w, format, args...)
	}
}
