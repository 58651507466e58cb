package kernel

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Kernel is an unpacked kernel package.
type Kernel struct {
	Image   string // the bzImage
	Modules string // lib/modules/RELEASE
	Release string // "6.12.107+deb13-cloud-amd64"
	Tree    string // the package's whole tree
}

// Get gives the kernel of r, downloaded into dir if it is not there yet.
// Callers that may race hold a lock of their own.
func Get(dir string, r Release) (*Kernel, error) {
	dir = filepath.Join(dir, "kernel-"+r.Version)
	tree := filepath.Join(dir, "tree")
	if _, err := os.Stat(tree); err != nil {
		if err := fetch(dir, tree, r); err != nil {
			return nil, fmt.Errorf("get kernel %s from %s: %w", r.Version, r.Suite, err)
		}
	}
	return open(tree)
}

// fetch downloads and unpacks; tree appears at the end, whole.
func fetch(dir, tree string, r Release) error {
	a, err := newApt(filepath.Join(dir, "apt"), r.Suite)
	if err != nil {
		return err
	}
	deb, err := a.download("linux-image-cloud-" + Arch())
	if err != nil {
		return err
	}
	half := tree + ".part"
	if err := os.RemoveAll(half); err != nil {
		return err
	}
	if out, err := exec.Command("dpkg-deb", "-x", deb, half).CombinedOutput(); err != nil {
		return fmt.Errorf("unpack %s: %w: %s", filepath.Base(deb), err, out)
	}
	if err := os.Rename(half, tree); err != nil {
		return err
	}
	return os.RemoveAll(filepath.Join(dir, "apt"))
}

// open finds the parts: Debian moved lib/modules below usr in trixie.
func open(tree string) (*Kernel, error) {
	images, err := filepath.Glob(filepath.Join(tree, "boot/vmlinuz-*"))
	if err != nil || len(images) != 1 {
		return nil, fmt.Errorf("%s has %d kernels", tree, len(images))
	}
	for _, parent := range []string{"usr/lib/modules", "lib/modules"} {
		found, err := filepath.Glob(filepath.Join(tree, parent, "*"))
		if err == nil && len(found) == 1 {
			return &Kernel{Image: images[0], Modules: found[0], Release: filepath.Base(found[0]), Tree: tree}, nil
		}
	}
	return nil, fmt.Errorf("%s has no modules", tree)
}
