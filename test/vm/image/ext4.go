package image

import (
	"fmt"
	"os"
	"os/exec"
)

// Ext4 makes the file system image path, size bytes, out of the tree dir; an
// empty dir gives an empty file system. The image is sparse. Without a
// journal: a guest's disk is thrown away.
func Ext4(path, dir string, size int64) error {
	if err := sparse(path, size); err != nil {
		return err
	}
	args := []string{"-q", "-F", "-t", "ext4", "-m", "0", "-O", "^has_journal,^resize_inode", "-E", "root_owner=0:0"}
	if dir != "" {
		args = append(args, "-d", dir)
	}
	cmd := exec.Command("mke2fs", append(args, path)...)
	cmd.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("make file system %s: %w: %s", path, err, out)
	}
	return nil
}

func sparse(path string, size int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := f.Truncate(size); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}
