package kill_test

import (
	"encoding/binary"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/lmkd/lmkd/internal/sys"
)

// deadServer mounts a file system whose server never answers: whoever looks
// into it sleeps uninterruptibly from the moment on that the server has read
// the question, and no signal ends that. Hang up ends it.
func deadServer(t *testing.T) (dir string, asked <-chan struct{}, hangUp func()) {
	t.Helper()
	dev, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		t.Fatal("open FUSE (needs root): ", err)
	}
	dir, err = os.MkdirTemp("/tmp", "dead")
	if err != nil {
		t.Fatal(err)
	}
	options := fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", dev.Fd())
	if err := sys.Mount("dead", dir, "fuse", 0, options); err != nil {
		t.Fatal(err)
	}
	question := make(chan struct{})
	var once sync.Once
	hangUp = func() {
		once.Do(func() {
			_ = sys.Unmount(dir)
			_ = dev.Close()
			_ = os.Remove(dir)
		})
	}
	t.Cleanup(hangUp)
	go serveOnce(dev, question)
	return dir, question, hangUp
}

// serveOnce answers the greeting, reads one question, and is silent from then
// on. The device is read by the raw call: a Go file would want to poll it.
func serveOnce(dev *os.File, question chan<- struct{}) {
	fd := int(dev.Fd())
	buf := make([]byte, 1<<17)
	if _, e := sys.Read(fd, buf); e != 0 {
		return
	}
	order := binary.NativeEndian
	// struct fuse_out_header and struct fuse_init_out (include/uapi/linux/fuse.h).
	answer := make([]byte, 16+64)
	order.PutUint32(answer, uint32(len(answer)))
	copy(answer[8:16], buf[8:16]) // the greeting's number
	order.PutUint32(answer[16:], 7)
	order.PutUint32(answer[20:], 31)
	order.PutUint32(answer[36:], 4096) // max_write
	if _, e := sys.Write(fd, answer); e != 0 {
		return
	}
	if _, e := sys.Read(fd, buf); e == 0 {
		close(question)
	}
}
