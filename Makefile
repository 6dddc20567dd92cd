# What is done by hand and by CI. `make check` is everything, in the order in which a mistake shows soonest; it holds on a fresh machine.
SHELL       := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := check
.ONESHELL:

# A clone that belongs to somebody else has no VCS state that Go could read.
export GOFLAGS := -buildvcs=false

GENERATE := go run ./internal/entgen && go run ./internal/gqlgen
SOURCES  := find . -name '*.go' -not -path '*/node_modules/*'

.PHONY: run check tools format vet staticcheck generated test generate migration playground fuzz bench

run:
	go run .

check: tools format vet staticcheck generated test

# What the checks need and the machine lacks. PostgreSQL is started by the tests themselves; the playground is tested in Chromium, the real
# GraphQL clients with Node.js 20 or later, calls with baresip and sipp, and mail with aiosmtpd.
tools:
	@need=""
	has() { command -v "$$1" >/dev/null; }
	has gcc  || need+=" gcc libc6-dev"
	has curl || need+=" curl ca-certificates"
	has node || need+=" nodejs"
	has npm  || need+=" npm"
	has chromium || has chromium-browser || has google-chrome || need+=" chromium"
	has baresip || need+=" baresip-core"
	has sipp || need+=" sip-tester"
	has espeak-ng || need+=" espeak-ng"
	/usr/bin/python3 -c 'import aiosmtpd' 2>/dev/null || need+=" python3-aiosmtpd"
	has postgres || compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || need+=" postgresql"
	if [ -n "$$need" ]; then
		echo "installing$$need"
		apt-get update -qq
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$need >/dev/null
	fi
	go mod download
	sh internal/house/dendrite/build.sh >/dev/null # the Matrix homeserver of the tests

format:
	@bad=$$($(SOURCES) | xargs gofmt -l)
	if [ -n "$$bad" ]; then echo "gofmt: $$bad"; exit 1; fi

vet:
	go vet ./...

staticcheck:
	go tool staticcheck ./...

# Generates again in a copy, and compares with what is here: what is not committed counts too, and nothing here is touched.
generated:
	@copy=$$(mktemp -d)
	trap 'rm -rf "$$copy"' EXIT
	tar -c --exclude=./.git --exclude=node_modules --exclude=./data . | tar -x -C "$$copy"
	(cd "$$copy" && $(GENERATE))
	diff -r ent "$$copy/ent" && diff -r graph "$$copy/graph" --exclude=node_modules ||
		{ echo "what is generated differs: make generate"; exit 1; }
	echo "what is generated is up to date"

# One PostgreSQL for all packages; each test has a database of its own.
test:
	go run ./internal/house/pg -- go test -race -timeout 20m ./...

generate:
	$(GENERATE)

# make migration NAME=what_changes, after a change of ent/schema and make generate
migration:
	go run ./internal/entgen diff $(NAME)

playground:
	cd graph/playground && npm ci && node build.mjs

# Each fuzz target for a while: make fuzz TIME=1m
TIME ?= 10s
fuzz:
	@for package in $$(go list ./...); do
		for target in $$(go test -list '^Fuzz' "$$package" | grep '^Fuzz' || true); do
			echo "$$package $$target"
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(TIME) "$$package"
		done
	done

# A table of this machine's figures, beside those of the bare limit in the same minutes.
bench:
	go run ./internal/bench
	go run ./internal/bench/calls
