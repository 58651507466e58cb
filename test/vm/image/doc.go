// Package image writes what a guest boots from: an initramfs (cpio, newc
// format, written here) and ext4 disks (mke2fs -d, without a mount and without
// root).
package image
