# The same on a laptop and in CI. `make demo` and `make test` install what a
# fresh Debian machine lacks, through scripts/deps.sh.
SHELL   := /bin/bash
export PATH := $(HOME)/.cache/lmkd/go/bin:$(PATH)
export GOTOOLCHAIN := local

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS := -s -w -X main.version=$(VERSION)
PREFIX  ?= /usr
DESTDIR ?=

.PHONY: all deps build test race vm demo run check lint fuzz bench install clean

all: build

deps: ## install what a clean Debian machine lacks
	@scripts/deps.sh

build: deps ## bin/lmkd, static
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/lmkd ./cmd/lmkd

run: build ## the daemon, on this machine, without killing
	bin/lmkd run --dry-run

demo: build ## kill a real hog under real pressure in a small guest, and watch
	go run ./test/vm/demo

test: build ## everything: unit tests, this host as root, the VM
	go vet ./...
	go test -count=1 ./...
	$(MAKE) --no-print-directory vm

race: deps
	go test -race -count=1 ./internal/... ./pkg/... ./cmd/...

vm: build ## every scenario, in guests of every kernel
	go test -count=1 -timeout 60m -tags vm ./test/...

bench: deps ## every benchmark
	go test -run '^$$' -bench . -benchmem ./...

fuzz: deps ## every fuzz target, for a short time each
	scripts/fuzz.sh

check: deps ## formatting, vet, static analysis
	scripts/check.sh

install: build
	install -D -m 0755 bin/lmkd $(DESTDIR)$(PREFIX)/bin/lmkd
	install -D -m 0644 deploy/systemd/lmkd.service $(DESTDIR)$(PREFIX)/lib/systemd/system/lmkd.service
	install -D -m 0644 configs/lmkd.yaml $(DESTDIR)/etc/lmkd/lmkd.yaml

clean:
	rm -rf bin
