#!/bin/sh
# Builds the homeserver that is pinned in go.mod, unless this machine has it already, and prints where it is. It is kept outside of the
# repository, beside Go's own cache: it takes two minutes to build.
set -eu
cd "$(dirname "$0")"
version=$(sed -n 's|^require github.com/element-hq/dendrite ||p' go.mod)
folder=$(dirname "$(go env GOCACHE)")/switchboard-tools
program=$folder/dendrite-$version
if [ ! -x "$program" ]; then
	mkdir -p "$folder"
	# In place at once: somebody else may be building too.
	GOFLAGS=-mod=mod go build -o "$program.$$" github.com/element-hq/dendrite/cmd/dendrite
	mv "$program.$$" "$program"
fi
echo "$program"
