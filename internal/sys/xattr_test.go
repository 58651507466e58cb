package sys

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestGetXattr(t *testing.T) {
	dir := t.TempDir()
	switch err := unix.Setxattr(dir, "user.oomd_avoid", []byte("1"), 0); err {
	case nil:
	case unix.ENOTSUP:
		t.Skip("no user attributes in", dir)
	default:
		t.Fatal(err)
	}
	fd, e := OpenPath(dir, ReadOnly|Directory)
	if e != 0 {
		t.Fatal(e)
	}
	defer func() { _ = fd.Close() }()
	buf := make([]byte, 8)
	if n, e := GetXattr(fd.Int(), []byte("user.oomd_avoid\x00"), buf); e != 0 || string(buf[:n]) != "1" {
		t.Errorf("%q, %v", buf[:n], e)
	}
	if _, e := GetXattr(fd.Int(), []byte("user.oomd_omit\x00"), buf); e != unix.ENODATA {
		t.Errorf("what is not set: %v", e)
	}
	if uid, e := Owner(fd.Int()); e != 0 || int(uid) != unix.Getuid() {
		t.Errorf("owner %d, %v", uid, e)
	}
}
