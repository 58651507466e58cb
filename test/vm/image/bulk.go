package image

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// Bulk gives a disk, kept in the directory cache, with one file "bulk" of mb
// MB in it. Its content is random, so that it lies on the disk in whole and
// reading it is real work.
func Bulk(cache string, mb int) (string, error) {
	path := filepath.Join(cache, fmt.Sprintf("bulk-%d.ext4", mb))
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	dir, err := os.MkdirTemp(cache, "bulk-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := writeBulk(filepath.Join(dir, "bulk"), mb); err != nil {
		return "", err
	}
	if err := Ext4(path+".part", dir, int64(mb)<<20*21/20+16<<20); err != nil {
		return "", err
	}
	return path, os.Rename(path+".part", path)
}

func writeBulk(path string, mb int) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	random := rand.NewChaCha8([32]byte{1})
	if _, err := io.CopyN(f, random, int64(mb)<<20); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}
