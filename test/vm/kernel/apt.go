package kernel

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const (
	mirror  = "http://deb.debian.org/debian"
	keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
)

// apt is a package manager's state of its own, for one suite.
type apt struct{ dir string }

// newApt prepares the state below dir; nothing is downloaded yet.
func newApt(dir, suite string) (*apt, error) {
	for _, d := range []string{"lists/partial", "archives/partial"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return nil, err
		}
	}
	source := fmt.Sprintf("deb [signed-by=%s] %s %s main\n", keyring, mirror, suite)
	if err := os.WriteFile(filepath.Join(dir, "sources.list"), []byte(source), 0o644); err != nil {
		return nil, err
	}
	return &apt{dir}, os.WriteFile(filepath.Join(dir, "status"), nil, 0o644)
}

// run runs an apt tool on this state and gives its output.
func (a *apt) run(tool string, args ...string) (string, error) {
	options := []string{
		"Dir::State=" + a.dir,
		"Dir::State::Lists=" + a.dir + "/lists",
		"Dir::State::status=" + a.dir + "/status",
		"Dir::Cache=" + a.dir,
		"Dir::Etc::sourcelist=" + a.dir + "/sources.list",
		"Dir::Etc::sourceparts=/dev/null",
		"Dir::Etc::preferencesparts=/dev/null",
		"Acquire::Languages=none",
		"Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false",
		"APT::Architecture=" + Arch(),
		"APT::Sandbox::User=root",
	}
	var all []string
	for _, o := range options {
		all = append(all, "-o", o)
	}
	cmd := exec.Command(tool, append(all, args...)...)
	cmd.Dir = a.dir
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", tool, strings.Join(args, " "), err, bytes.TrimSpace(errs.Bytes()))
	}
	return out.String(), nil
}

// download gets the newest package that the metapackage name stands for, and
// gives the .deb's path.
func (a *apt) download(name string) (string, error) {
	if _, err := a.run("apt-get", "-q", "update"); err != nil {
		return "", err
	}
	depends, err := a.run("apt-cache", "depends", name)
	if err != nil {
		return "", err
	}
	image, err := imageAmong(depends)
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	if _, err := a.run("apt-get", "-q", "download", image); err != nil {
		return "", err
	}
	found, err := filepath.Glob(filepath.Join(a.dir, image+"_*.deb"))
	if err != nil || len(found) != 1 {
		return "", fmt.Errorf("download %s: %d packages arrived", image, len(found))
	}
	return found[0], nil
}

// imageAmong finds the kernel's package among the lines of apt-cache depends.
func imageAmong(depends string) (string, error) {
	for line := range strings.Lines(depends) {
		name, ok := strings.CutPrefix(strings.TrimSpace(line), "Depends: ")
		if ok && strings.HasPrefix(name, "linux-image-") {
			return name, nil
		}
	}
	return "", fmt.Errorf("depends on no kernel image")
}
