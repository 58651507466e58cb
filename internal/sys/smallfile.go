package sys

// ReadOnceAt opens the NUL-terminated path below the directory dir, reads once
// from offset off into buf, and closes it: three system calls and no
// allocation. A file of /proc/PID gives all that fits into buf in one read, so
// that fewer bytes than len(buf) are the end of the file.
func ReadOnceAt(dir int, path []byte, off int64, buf []byte) (int, Errno) {
	fd, e := OpenAt(dir, path, ReadOnly)
	if e != 0 {
		return 0, e
	}
	var n int
	if off == 0 {
		n, e = Read(fd.Int(), buf)
	} else {
		n, e = ReadAt(fd.Int(), buf, off)
	}
	_ = fd.Close()
	return n, e
}
