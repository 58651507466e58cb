package control

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"github.com/lmkd/lmkd/internal/sys"
)

// The modes of the sockets: the protocol of Android's lmkd is for root, as file
// permissions go; a socket unit of systemd, or init, can say otherwise. Levels are
// for everybody.
const (
	androidMode = 0o660
	nativeMode  = 0o666
)

// BindAndroid makes the socket at path. One that a dead process left there is
// replaced, a living one's is not.
func BindAndroid(path string) (sys.FD, error) {
	if err := prepare(path, "unixpacket"); err != nil {
		return sys.FD{}, err
	}
	return sys.NewSeqpacket(path, androidMode)
}

// BindNative does the same for the native socket.
func BindNative(path string) (*net.UnixListener, error) {
	if err := prepare(path, "unix"); err != nil {
		return nil, err
	}
	socket, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	if err = os.Chmod(path, nativeMode); err != nil {
		_ = socket.Close()
		return nil, err
	}
	return socket, nil
}

// prepare makes room for a socket at path.
func prepare(path, network string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeSocket == 0 {
		return fmt.Errorf("%s is there already, and no socket", path)
	}
	c, err := net.Dial(network, path)
	if err == nil {
		_ = c.Close()
		return fmt.Errorf("%s is there already, and somebody listens", path)
	}
	if !errors.Is(err, sys.ECONNREFUSED) {
		return err
	}
	return os.Remove(path)
}
