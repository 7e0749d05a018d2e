#!/bin/sh
# Builds the S3 server that the tests start where it's missing. It stays out of
# go.mod, into which it would bring hundreds of modules. The version is that of
# test/s3test.
set -eu

version=v1.8.0
dir="${XDG_CACHE_HOME:-$HOME/.cache}/handout/versitygw-$version"

if command -v versitygw >/dev/null || [ -x "$dir/versitygw" ]; then
	exit 0
fi

echo "versitygw is missing: building it in $dir, which takes some minutes" >&2
mkdir -p "$dir"
GOBIN="$dir" GOFLAGS=-trimpath go install "github.com/versity/versitygw/cmd/versitygw@$version" || {
	echo "versitygw couldn't be built: is the Go module proxy reached?" >&2
	exit 1
}
