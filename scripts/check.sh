#!/usr/bin/env bash
# Formatting, vet and static analysis: the same on a laptop and in CI.
set -euo pipefail
cd "$(dirname "$0")/.."
bad=$(gofmt -l .)
[ -z "$bad" ] || { echo "gofmt would change: $bad" >&2; exit 1; }
go vet ./...
go vet -tags vm,full ./...
go vet -tags man ./cmd/lmkd
go run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...
