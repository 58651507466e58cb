# The same on a laptop and in CI. `make demo` and `make test` install what a
# fresh Debian machine lacks, through scripts/deps.sh.
SHELL   := /bin/bash
CACHE   := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/lmkd
export PATH := $(CACHE)/go1.26.8/bin:$(CACHE)/bin:$(PATH)
export GOTOOLCHAIN := local

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS := -s -w -X main.version=$(VERSION)
PREFIX  ?= /usr
DESTDIR ?=

# bin/vm is phony too: go build knows best what is stale.
.PHONY: bin/vm man all deps build test race vm demo run check lint fuzz bench install clean

all: build

deps: ## install what a clean Debian machine lacks
	@scripts/deps.sh

build: deps ## bin/lmkd, static
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/lmkd ./cmd/lmkd

run: build ## the daemon, on this machine, without killing
	bin/lmkd run --dry-run

demo: build bin/vm ## kill a real hog under real pressure in a small guest, and watch
	@bin/vm -build ./cmd/lmkd -build ./test/demo guest:/vm/bin/demo

test: build ## everything: unit tests, this host as root, the VM
	go vet ./...
	go test -count=1 ./...
	$(MAKE) --no-print-directory vm

race: deps
	go test -race -count=1 ./internal/... ./pkg/... ./cmd/...

vm: build bin/vm ## every scenario, in guests of every kernel
	scripts/vm.sh

bin/vm: deps
	CGO_ENABLED=0 go build -trimpath -o $@ ./test/vm

bench: deps ## every benchmark
	go test -run '^$$' -bench . -benchmem ./...

fuzz: deps ## every fuzz target, for a short time each
	scripts/fuzz.sh

check: deps ## formatting, vet, static analysis
	scripts/check.sh

man: deps ## bin/man: the manual pages
	rm -rf bin/man
	go run -tags man -ldflags '$(LDFLAGS)' ./cmd/lmkd man bin/man

install: build man
	install -D -m 0755 bin/lmkd $(DESTDIR)$(PREFIX)/bin/lmkd
	install -D -m 0644 deploy/systemd/lmkd.service $(DESTDIR)$(PREFIX)/lib/systemd/system/lmkd.service
	install -D -m 0644 configs/lmkd.yaml $(DESTDIR)/etc/lmkd/lmkd.yaml
	install -d $(DESTDIR)$(PREFIX)/share/man/man8
	install -m 0644 bin/man/*.8 $(DESTDIR)$(PREFIX)/share/man/man8
	install -d $(DESTDIR)$(PREFIX)/share/bash-completion/completions
	bin/lmkd completion bash >$(DESTDIR)$(PREFIX)/share/bash-completion/completions/lmkd

clean:
	rm -rf bin
