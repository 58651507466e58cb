package relief

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"

	"github.com/lmkd/lmkd/internal/sys"
)

// write writes a control file of a cgroup. It is opened without O_TRUNC or
// O_CREAT: the kernel's files know neither.
func write(dir, name, text string) sys.Errno {
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY, 0)
	if err != nil {
		return sys.ErrnoOf(err)
	}
	_, err = f.WriteString(text)
	_ = f.Close()
	return sys.ErrnoOf(err)
}

func read(dir, name string) []byte {
	text, _ := os.ReadFile(filepath.Join(dir, name))
	return bytes.TrimSpace(text)
}

// charged gives memory.current, 0 when it can not be read.
func charged(dir string) uint64 {
	n, _ := strconv.ParseUint(string(read(dir, "memory.current")), 10, 64)
	return n
}

func gone(dir string) bool {
	_, err := os.Stat(dir)
	return os.IsNotExist(err)
}
