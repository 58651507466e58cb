// Command hogs is every program that misbehaves, or must not suffer, in the
// tests: one static binary, one subcommand each, so that a guest has to carry
// it once. Its memory is mapped past the Go runtime and half filled with
// random bytes, for zram would make uniform pages vanish. It uses all the
// memory it can get: run it in a guest or in a limited cgroup only.
package main
