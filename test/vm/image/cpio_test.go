package image_test

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"

	"github.com/lmkd/lmkd/test/vm/image"
)

// TestCpio holds the archive against cpio(1), where there is one, and against
// the format's own rules everywhere.
func TestCpio(t *testing.T) {
	var b bytes.Buffer
	c := image.NewCpio(&b)
	c.Dir("dev")
	c.File("dev/abc", 0o755, []byte("hello"))
	c.File("init", 0o644, bytes.Repeat([]byte("x"), 1001))
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if b.Len()%4 != 0 || !bytes.HasPrefix(b.Bytes(), []byte("070701")) || bytes.Count(b.Bytes(), []byte("070701")) != 4 {
		t.Errorf("%d bytes, %d entries", b.Len(), bytes.Count(b.Bytes(), []byte("070701")))
	}
	if _, err := exec.LookPath("cpio"); err != nil {
		t.Log("no cpio(1) here to compare with")
		return
	}
	cmd := exec.Command("cpio", "--quiet", "-tv")
	cmd.Stdin = bytes.NewReader(b.Bytes())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("cpio: %v: %s", err, out)
	}
	for _, want := range []string{"drwxr-xr-x", "-rwxr-xr-x", " 5 ", " 1001 ", "dev/abc"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("cpio lists no %q:\n%s", want, out)
		}
	}
}
