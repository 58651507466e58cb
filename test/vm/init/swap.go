package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"strconv"

	"github.com/lmkd/lmkd/internal/sys"
)

// swapOnZram makes size bytes of swap on the first zram device.
func swapOnZram(size uint64) error {
	const device, control = "/dev/zram0", "/sys/block/zram0/disksize"
	if _, err := os.Stat(control); err != nil {
		if out, err := exec.Command("/sbin/modprobe", "zram").CombinedOutput(); err != nil {
			return fmt.Errorf("load zram: %w: %s", err, out)
		}
	}
	if err := os.WriteFile(control, strconv.AppendUint(nil, size, 10), 0); err != nil {
		return fmt.Errorf("size zram: %w", err)
	}
	if err := writeSwapHeader(device, size); err != nil {
		return err
	}
	return sys.SwapOn(device)
}

// writeSwapHeader is mkswap(8): the header of include/linux/swap.h, which lies
// in the first page after 1024 bytes for a boot sector, and the magic word in
// the page's last ten bytes.
func writeSwapHeader(device string, size uint64) error {
	page := sys.Pagesize()
	b := make([]byte, page)
	binary.NativeEndian.PutUint32(b[1024:], 1)
	binary.NativeEndian.PutUint32(b[1028:], uint32(size/page-1))
	copy(b[page-10:], "SWAPSPACE2")
	f, err := os.OpenFile(device, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if _, err := f.Write(b); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}
