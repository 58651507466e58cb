package kernel

import "testing"

func TestFind(t *testing.T) {
	for name, suite := range map[string]string{"6.12": "trixie", "bookworm": "bookworm", "5.10": "bullseye"} {
		if r, err := Find(name); err != nil || r.Suite != suite {
			t.Errorf("Find(%q) = %v, %v", name, r, err)
		}
	}
	if _, err := Find("7"); err == nil || err.Error() != `no kernel "7": there are 5.10, 6.1, 6.12` {
		t.Errorf("Find of an unknown kernel: %v", err)
	}
}

func TestImageAmong(t *testing.T) {
	got, err := imageAmong("linux-image-cloud-amd64\n  Depends: linux-image-6.12.107+deb13-cloud-amd64\n  Suggests: x\n")
	if err != nil || got != "linux-image-6.12.107+deb13-cloud-amd64" {
		t.Errorf("imageAmong = %q, %v", got, err)
	}
	if _, err := imageAmong("linux-image-cloud-amd64\n"); err == nil {
		t.Error("a metapackage without a kernel was taken")
	}
}

func TestModuleNames(t *testing.T) {
	list := []byte("kernel/crypto/lzo-rle.ko\nkernel/fs/ext4/ext4.ko\n")
	for name, want := range map[string]bool{"lzo_rle": true, "ext4": true, "ext": false, "zram": false} {
		if builtinHas(list, name) != want {
			t.Errorf("builtinHas(%q) = %v", name, !want)
		}
	}
}
