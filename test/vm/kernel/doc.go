// Package kernel gets Debian's cloud kernels from their packages, whatever
// release the host runs: an apt of its own (sources, lists and state below the
// cache directory, the host's archive keys) downloads the package, dpkg-deb
// unpacks it. It never installs anything and never touches the host's apt.
package kernel
