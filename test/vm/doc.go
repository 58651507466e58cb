// Command vm runs a program in a virtual machine with little memory, under
// real pressure, and tells how it ended: go test -exec calls it in place of
// the test binary, scenarios call it with a driver of their own. It needs
// QEMU, mke2fs and Debian's archive; it writes below test/vm/cache and the
// temporary directory only, and no guest keeps anything. See README.md.
package main
