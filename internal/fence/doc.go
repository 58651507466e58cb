// Package fence holds the walls of the house as checks over its source: the
// decisions are pure, one package alone speaks to the kernel, and no public
// package leans on another. It is imported by nothing; its tests are run with
// all others.
package fence
