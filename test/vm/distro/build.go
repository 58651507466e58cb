package distro

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/lmkd/lmkd/test/vm/image"
	"github.com/lmkd/lmkd/test/vm/kernel"
)

//go:embed files
var files embed.FS

// packages are what a small server has, and the peers to compare with.
var packages = []string{
	"systemd", "systemd-sysv", "dbus", "udev", "kmod", "procps", "util-linux",
	"earlyoom", "systemd-oomd", "nohang", "oomd", "util-linux-extra",
}

const mirror = "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian %s main"

// diskSize is the size of the system disk, sparse: what the tree needs, and
// room for a journal.
const diskSize = 3 << 30

// Get gives the system disk of a suite with the modules of kernel k, kept
// below cache and made anew when the recipe or the kernel changed. The result
// tells where mmdebstrap's log is when it failed.
func Get(cache, suite string, k *kernel.Kernel) (string, error) {
	key, err := recipe(suite, k.Release)
	if err != nil {
		return "", err
	}
	path := filepath.Join(cache, fmt.Sprintf("system-%s-%s.ext4", suite, key))
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if os.Geteuid() != 0 {
		return "", fmt.Errorf("make the full guest's disk %s: needs root, once; the bare guest (without -full) does not", path)
	}
	if err := build(cache, path, suite, k); err != nil {
		return "", fmt.Errorf("make the full guest's disk: %w", err)
	}
	return path, nil
}

// recipe is a hash of everything that the disk is made from, but Debian's own
// archive: remove the cache to get its news.
func recipe(suite, release string) (string, error) {
	sum := sha256.New()
	fmt.Fprintln(sum, suite, release, diskSize, packages, mirror)
	err := fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := files.ReadFile(path)
		fmt.Fprintf(sum, "%s %d\n%s", path, len(b), b)
		return err
	})
	return hex.EncodeToString(sum.Sum(nil)[:8]), err
}

// build makes the tree below cache, the disk from it, and removes the tree.
func build(cache, path, suite string, k *kernel.Kernel) error {
	dir, err := os.MkdirTemp(cache, "system-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := os.CopyFS(dir, files); err != nil {
		return err
	}
	tree := filepath.Join(dir, "tree")
	if err := debootstrap(filepath.Join(dir, "files"), tree, suite, k); err != nil {
		return err
	}
	if err := image.Ext4(path+".part", tree, diskSize); err != nil {
		return err
	}
	return os.Rename(path+".part", path)
}

func debootstrap(recipe, tree, suite string, k *kernel.Kernel) error {
	hook := fmt.Sprintf(`sh '%s/customize.sh' "$1" '%s' '%s'`, recipe, k.Modules, recipe)
	args := []string{
		"--quiet", "--mode=root", "--variant=minbase", "--format=directory",
		"--include=" + strings.Join(packages, ","),
		"--architectures=" + kernel.Arch(),
		"--dpkgopt=path-exclude=/usr/share/doc/*",
		"--dpkgopt=path-exclude=/usr/share/man/*",
		"--dpkgopt=path-exclude=/usr/share/locale/*",
		"--aptopt=APT::Install-Recommends \"false\"",
		"--customize-hook=" + hook,
		suite, tree, fmt.Sprintf(mirror, suite),
	}
	out, err := exec.Command("mmdebstrap", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("mmdebstrap %s: %w\n%s", suite, err, lastLines(string(out), 20))
	}
	return nil
}

func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
