package kernel

import (
	"bytes"
	"debug/elf"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Module is one kernel module, decompressed.
type Module struct {
	Name  string // "virtio_blk"
	Image []byte
}

// Load gives the modules named and all they depend on, in an order in which
// they can be loaded. A name that this kernel has built in, or lacks because
// its work is done elsewhere, is passed over unless it is in need.
func (k *Kernel) Load(need, want []string) ([]Module, error) {
	files, err := k.moduleFiles()
	if err != nil {
		return nil, err
	}
	builtin, err := os.ReadFile(filepath.Join(k.Modules, "modules.builtin"))
	if err != nil {
		return nil, err
	}
	l := loader{files: files, done: map[string]bool{}}
	for _, name := range need {
		if files[name] == "" && !builtinHas(builtin, name) {
			return nil, fmt.Errorf("kernel %s has no module %s", k.Release, name)
		}
	}
	for _, name := range append(need, want...) {
		if err := l.add(name); err != nil {
			return nil, err
		}
	}
	return l.modules, nil
}

// moduleFiles maps each module's name, with underscores, to its file.
func (k *Kernel) moduleFiles() (map[string]string, error) {
	files := map[string]string{}
	err := filepath.WalkDir(k.Modules, func(path string, _ fs.DirEntry, err error) error {
		if name, _, ok := strings.Cut(filepath.Base(path), ".ko"); ok {
			files[moduleName(name)] = path
		}
		return err
	})
	return files, err
}

func moduleName(file string) string { return strings.ReplaceAll(file, "-", "_") }

// builtinHas looks for name in modules.builtin, one path a line.
func builtinHas(list []byte, name string) bool {
	for line := range bytes.Lines(list) {
		base := strings.TrimSuffix(filepath.Base(string(bytes.TrimSpace(line))), ".ko")
		if moduleName(base) == name {
			return true
		}
	}
	return false
}

type loader struct {
	files   map[string]string
	done    map[string]bool
	modules []Module
}

// add appends the module name after those that it depends on.
func (l *loader) add(name string) error {
	path := l.files[name]
	if path == "" || l.done[name] {
		return nil
	}
	l.done[name] = true
	image, err := readModule(path)
	if err != nil {
		return err
	}
	depends, err := dependsOf(image)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for _, d := range depends {
		if err := l.add(moduleName(d)); err != nil {
			return err
		}
	}
	l.modules = append(l.modules, Module{name, image})
	return nil
}

// readModule reads a .ko or a .ko.xz.
func readModule(path string) ([]byte, error) {
	if !strings.HasSuffix(path, ".xz") {
		return os.ReadFile(path)
	}
	out, err := exec.Command("xz", "-dc", path).Output()
	if err != nil {
		return nil, fmt.Errorf("decompress %s: %w", path, err)
	}
	return out, nil
}

// dependsOf reads the depends= and softdep= entries of a module's .modinfo
// section, NUL-terminated strings.
func dependsOf(image []byte) ([]string, error) {
	f, err := elf.NewFile(bytes.NewReader(image))
	if err != nil {
		return nil, err
	}
	section := f.Section(".modinfo")
	if section == nil {
		return nil, fmt.Errorf("no .modinfo section")
	}
	info, err := section.Data()
	if err != nil {
		return nil, err
	}
	var names []string
	for entry := range strings.SplitSeq(string(info), "\x00") {
		if list, ok := strings.CutPrefix(entry, "depends="); ok {
			names = append(names, strings.FieldsFunc(list, func(r rune) bool { return r == ',' })...)
		}
		if list, ok := strings.CutPrefix(entry, "softdep=pre:"); ok {
			names = append(names, strings.Fields(list)...)
		}
	}
	return names, nil
}
