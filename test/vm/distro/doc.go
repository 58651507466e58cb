// Package distro makes the system disk of the full guest: Debian with systemd
// as a person would install it, the other low-memory daemons beside it and
// switched off, and one unit that starts the runner's agent from the payload
// disk. It runs mmdebstrap, which needs root, and installs nothing on the host.
package distro
