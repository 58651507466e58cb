// Package configs holds the annotated config that is installed as
// /etc/lmkd/lmkd.yaml and is built into the binary as the default. It reads
// nothing and decides nothing.
package configs

import _ "embed"

// Default is lmkd.yaml: YAML in which every setting stands as a comment with
// its default, so that only the profile is set.
//
//go:embed lmkd.yaml
var Default []byte
