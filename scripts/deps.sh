#!/bin/sh
# Gets what a fresh Debian (bookworm or trixie) lacks to build and test this:
# Debian packages through apt-get (as root, or with sudo), promtool out of its
# package without a server, and Go through its module
# proxy. Says nothing when there is nothing to do, which takes no time.
#
# What is not a Debian package goes below ${XDG_CACHE_HOME:-~/.cache}/lmkd:
# go$GO_VERSION/bin and bin belong in PATH (the Makefile does that).
#
#   scripts/deps.sh        everything
#   scripts/deps.sh build  only what building takes
set -eu

GO_VERSION=1.26.8
# Of the module golang.org/toolchain's zip files; their h1 sums were compared
# with the ones in sum.golang.org.
GO_SHA256_amd64=30c2b1bf7dcc88d3eb0a1364e47ddd9128edb3110a30e8a0ef61cd5856b31de7
GO_SHA256_arm64=02b36b6787b3ac767668f630e2998df45a3b1f9ffee08d1bf3ef6487cd658d99

cache=${XDG_CACHE_HOME:-$HOME/.cache}/lmkd
goroot=$cache/go$GO_VERSION
purpose=${1:-all}

die() {
	echo "deps: $*" >&2
	exit 1
}

case $purpose in all | build) ;; *) die "unknown argument '$purpose': want nothing, or build" ;; esac

has() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ]; }

# go_is_new: some go that is new enough is there already.
go_is_new() {
	[ -x "$goroot/bin/go" ] && return 0
	has go || return 1
	have=$(cd / && GOTOOLCHAIN=local go env GOVERSION 2>/dev/null) || return 1
	[ "$(printf '%s\n' "go$GO_VERSION" "$have" | sort -V | head -n 1)" = "go$GO_VERSION" ]
}

# missing prints the packages that are needed and not there.
missing() {
	has git || echo git
	[ -e /etc/ssl/certs/ca-certificates.crt ] || echo ca-certificates
	if ! go_is_new; then
		has curl || echo curl
		has unzip || echo unzip
	fi
	[ "$purpose" = build ] && return
	has qemu-system-x86_64 || echo qemu-system-x86
	has mmdebstrap || echo mmdebstrap
	has mke2fs || echo e2fsprogs
	has xz || echo xz-utils
	[ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || echo debian-archive-keyring
}

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif has sudo; then
		sudo "$@"
	else
		die "needs root for: $* (run that as root, then this again)"
	fi
}

install_packages() {
	has apt-get || die "no apt-get here: install yourself: $*"
	echo "deps: installing $*" >&2
	log=$(mktemp)
	if as_root apt-get -qq -o DPkg::Lock::Timeout=300 update >"$log" 2>&1 &&
		as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=300 \
			-o Dpkg::Use-Pty=0 install --no-install-recommends "$@" >>"$log" 2>&1; then
		rm -f "$log"
		return
	fi
	tail -n 30 "$log" >&2
	die "apt-get could not install $*; its whole answer: $log"
}

# install_promtool takes one program out of its package: bookworm's starts a
# server when installed. Since trixie promtool is a package of its own.
install_promtool() {
	echo "deps: fetching promtool" >&2
	tmp=$(mktemp -d)
	trap 'rm -rf "$tmp"' EXIT
	if ! download_deb promtool && ! download_deb prometheus; then
		as_root apt-get -qq -o DPkg::Lock::Timeout=300 update
		download_deb promtool || download_deb prometheus || die "no promtool in Debian's archive"
	fi
	dpkg-deb -x "$tmp"/*.deb "$tmp/tree"
	mkdir -p "$cache/bin"
	mv "$tmp/tree/usr/bin/promtool" "$cache/bin/promtool"
	rm -rf "$tmp"
	trap - EXIT
}

download_deb() {
	(cd "$tmp" && apt-get -qq -o APT::Sandbox::User=root download "$1" >/dev/null 2>&1)
}

# install_earlyoom takes the peer of a benchmark out of its package, which would
# start it as a service.
install_earlyoom() {
	echo "deps: fetching earlyoom" >&2
	tmp=$(mktemp -d)
	trap 'rm -rf "$tmp"' EXIT
	if ! download_deb earlyoom; then
		as_root apt-get -qq -o DPkg::Lock::Timeout=300 update
		download_deb earlyoom || die "no earlyoom in Debian's archive"
	fi
	dpkg-deb -x "$tmp"/*.deb "$tmp/tree"
	mkdir -p "$cache/bin"
	mv "$tmp/tree/usr/bin/earlyoom" "$cache/bin/earlyoom"
	rm -rf "$tmp"
	trap - EXIT
}

install_go() {
	case $(uname -m) in
	x86_64) arch=amd64 sum=$GO_SHA256_amd64 ;;
	aarch64) arch=arm64 sum=$GO_SHA256_arm64 ;;
	*) die "no Go $GO_VERSION known here for $(uname -m): install it yourself" ;;
	esac
	name=v0.0.1-go$GO_VERSION.linux-$arch
	echo "deps: fetching Go $GO_VERSION" >&2
	mkdir -p "$cache"
	tmp=$(mktemp -d "$cache/go.XXXXXX")
	trap 'rm -rf "$tmp"' EXIT
	curl -fsSL --retry 3 -o "$tmp/go.zip" "https://proxy.golang.org/golang.org/toolchain/@v/$name.zip"
	echo "$sum  $tmp/go.zip" | sha256sum --check --quiet - || die "the archive of Go $GO_VERSION is not the one expected"
	unzip -q "$tmp/go.zip" -d "$tmp"
	tree=$tmp/golang.org/toolchain@$name
	# A module's zip file carries no modes.
	chmod +x "$tree"/bin/* "$tree"/pkg/tool/linux_$arch/*
	mv "$tree" "$goroot"
	rm -rf "$tmp"
	trap - EXIT
	"$goroot/bin/go" version >&2
}

packages=$(missing)
# shellcheck disable=SC2086 # one word a package
[ -z "$packages" ] || install_packages $packages
go_is_new || install_go
if [ "$purpose" = all ] && ! has promtool && [ ! -x "$cache/bin/promtool" ]; then
	install_promtool
fi
if [ "$purpose" = all ] && ! has earlyoom && [ ! -x "$cache/bin/earlyoom" ]; then
	install_earlyoom
fi
