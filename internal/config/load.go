package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/lmkd/lmkd/configs"
)

// DefaultPath is where the daemon looks when it is told nothing.
const DefaultPath = "/etc/lmkd/lmkd.yaml"

// BuiltIn is the Source of a config that no file gave.
const BuiltIn = "built-in"

// Load reads the file at path, which must be there. With path "" it reads
// DefaultPath, or the built-in config when that is not there.
func Load(path string) (*Config, error) {
	return load(path, DefaultPath)
}

func load(path, fallback string) (*Config, error) {
	name := path
	if name == "" {
		name = fallback
	}
	data, err := os.ReadFile(name)
	switch {
	case err == nil:
		return Parse(name, data)
	case path == "" && errors.Is(err, fs.ErrNotExist):
		return Parse(BuiltIn, configs.Default)
	}
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return nil, fmt.Errorf("read config %s: %w", name, err)
}
