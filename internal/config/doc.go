// Package config turns a YAML file into a validated, typed policy. It reads one
// file, /etc/lmkd/lmkd.yaml unless another is named, and never guesses: an
// unknown key, a value without its unit or a number out of its range is an
// error with line, column and key, and nothing of such a file is used.
//
// Every setting is one entry of a table, which alone decides what is accepted,
// how it is shown and what its range is; configs/lmkd.yaml is checked against
// it. Without a file the defaults of the linux profile hold.
package config
