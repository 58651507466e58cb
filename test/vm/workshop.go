package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/lmkd/lmkd/internal/sys"
	"github.com/lmkd/lmkd/test/vm/image"
	"github.com/lmkd/lmkd/test/vm/kernel"
)

// workshop is where guests are made: the module's root and the cache.
type workshop struct {
	root  string // of the module
	cache string // test/vm/cache below it
}

func openWorkshop() (*workshop, error) {
	root, err := moduleRoot()
	if err != nil {
		return nil, err
	}
	w := &workshop{root, filepath.Join(root, "test/vm/cache")}
	return w, os.MkdirAll(w.cache, 0o755)
}

// moduleRoot looks for go.mod upwards from the working directory.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("find the module: no go.mod in the working directory or above")
		}
		dir = up
	}
}

// lock keeps other runners out of the cache until unlock.
func (w *workshop) lock() (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(w.cache, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if e := sys.LockFile(int(f.Fd())); e != 0 {
		_ = f.Close()
		return nil, fmt.Errorf("lock the cache: %w", e)
	}
	return func() { _ = f.Close() }, nil
}

// build builds a static program of the module into the cache.
func (w *workshop) build(pkg string) (string, error) {
	path := filepath.Join(w.cache, "bin", filepath.Base(pkg))
	cmd := exec.Command("go", "build", "-ldflags=-s -w", "-o", path, pkg)
	cmd.Dir = w.root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", pkg, err, out)
	}
	return path, nil
}

// The modules that no guest can do without, and those that make it a better
// one. What a kernel has built in, or renamed away, is passed over.
var (
	neededModules = []string{"virtio_pci", "virtio_blk", "ext4", "zram"}
	wantedModules = []string{"lzo", "lzo_rle", "lz4", "zstd", "fuse", "loop", "crc32c_generic"}
)

// initrd gives the initramfs of a kernel, made anew when its parts changed.
func (w *workshop) initrd(k *kernel.Kernel, init string) (string, error) {
	program, err := os.ReadFile(init)
	if err != nil {
		return "", err
	}
	// Compressors first: zram asks for them when its size is set.
	modules, err := k.Load(neededModules[:3], append(wantedModules, "zram"))
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	sum.Write(program)
	for _, m := range modules {
		sum.Write([]byte(m.Name))
		sum.Write(m.Image)
	}
	path := filepath.Join(w.cache, fmt.Sprintf("initrd-%s-%s.cpio", k.Release, hex.EncodeToString(sum.Sum(nil)[:8])))
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	return path, writeInitrd(path, program, modules)
}

// writeInitrd writes an archive of our init, the modules, and the two devices
// that a program needs before /dev is mounted.
func writeInitrd(path string, init []byte, modules []kernel.Module) error {
	f, err := os.Create(path + ".part")
	if err != nil {
		return err
	}
	c := image.NewCpio(f)
	for _, dir := range []string{"dev", "proc", "sys", "modules"} {
		c.Dir(dir)
	}
	c.Char("dev/console", 5, 1)
	c.Char("dev/null", 1, 3)
	c.File("init", 0o755, init)
	order := ""
	for _, m := range modules {
		c.File("modules/"+m.Name, 0o644, m.Image)
		order += m.Name + "\n"
	}
	c.File("modules/order", 0o644, []byte(order))
	if err := errors.Join(c.Close(), f.Close()); err != nil {
		return err
	}
	return os.Rename(path+".part", path)
}
