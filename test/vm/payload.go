package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/lmkd/lmkd/test/vm/image"
	"github.com/lmkd/lmkd/test/vm/wire"
)

// slack is what the payload disk has free for temporary and result files.
const slack = 256 << 20

// payload is the tree that becomes the guest's payload disk.
type payload struct {
	dir  string // the tree, /vm in the guest
	size int64  // of its files
}

// lay lays the tree out: agent and hogs, the program, what was asked for, and
// the job.
func (w *workshop) lay(o *options, dir, agent string) (*payload, error) {
	p := &payload{dir: dir}
	for _, d := range []string{wire.BinDir, wire.WorkDir, wire.OutDir, wire.OutDir + "/" + profileDir, wire.TempDir, wire.Overlay} {
		if err := os.MkdirAll(p.host(d), 0o755); err != nil {
			return nil, err
		}
	}
	if err := p.copy(agent, wire.Agent); err != nil {
		return nil, err
	}
	for _, pkg := range append(o.builds, "./test/hogs") {
		path, err := w.build(pkg)
		if err != nil {
			return nil, err
		}
		if err := p.copy(path, wire.BinDir+"/"+filepath.Base(path)); err != nil {
			return nil, err
		}
	}
	job, err := p.job(o, w.root)
	if err != nil {
		return nil, err
	}
	if err := p.extras(o); err != nil {
		return nil, err
	}
	b, err := json.Marshal(job)
	if err != nil {
		return nil, err
	}
	return p, os.WriteFile(p.host(wire.JobFile), b, 0o644)
}

// job ships the program with the testdata that lie beside the working
// directory, as go test has them, and says how to run it.
func (p *payload) job(o *options, root string) (*wire.Job, error) {
	here, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	rel, err := filepath.Rel(root, here)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(wire.WorkDir, rel)
	if err := os.MkdirAll(p.host(dir), 0o755); err != nil {
		return nil, err
	}
	if _, err := os.Stat("testdata"); err == nil {
		if err := p.copy("testdata", filepath.Join(dir, "testdata")); err != nil {
			return nil, err
		}
	}
	path, inGuest := strings.CutPrefix(o.program, guestPrefix)
	if !inGuest {
		path = filepath.Join(wire.BinDir, filepath.Base(o.program))
		if err := p.copy(o.program, path); err != nil {
			return nil, fmt.Errorf("ship the program: %w", err)
		}
	}
	return &wire.Job{
		Argv: append([]string{path}, o.guestArgs()...),
		Env:  o.guestEnv(),
		Dir:  dir,
		Zram: uint64(o.zram) << 20,
	}, nil
}

// extras ships what -file and -install name.
func (p *payload) extras(o *options) error {
	for _, f := range o.files {
		from, to, ok := strings.Cut(f, ":")
		if !ok {
			to = "work/" + from
		}
		if !filepath.IsLocal(to) {
			return fmt.Errorf("-file %s: the place %s is not below /vm", f, to)
		}
		if err := p.copy(from, wire.Root+"/"+to); err != nil {
			return fmt.Errorf("-file %s: %w", f, err)
		}
	}
	for _, f := range o.installs {
		from, to, ok := strings.Cut(f, ":")
		if !ok || !filepath.IsAbs(to) {
			return fmt.Errorf("-install %s: want FILE:/PLACE", f)
		}
		if err := p.copy(from, wire.Overlay+filepath.Clean(to)); err != nil {
			return fmt.Errorf("-install %s: %w", f, err)
		}
	}
	return nil
}

// host gives the place on the host of a path on the payload disk.
func (p *payload) host(guest string) string {
	return filepath.Join(p.dir, strings.TrimPrefix(guest, wire.Root))
}

// copy copies a file or a tree to a place on the payload disk.
func (p *payload) copy(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		dst := p.host(filepath.Join(to, rel))
		if d.IsDir() {
			return os.MkdirAll(dst, 0o755)
		}
		return p.copyFile(path, dst)
	})
}

func (p *payload) copyFile(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	p.size += info.Size()
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, b, info.Mode().Perm())
}

// disk makes the disk of the tree.
func (p *payload) disk(path string) error {
	return image.Ext4(path, p.dir, p.size*5/4+slack)
}
