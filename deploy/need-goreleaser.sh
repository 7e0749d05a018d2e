#!/bin/sh
# Builds goreleaser where it's missing, and says where it is. Its npm package would be
# quicker, but fetches the program from elsewhere. It stays out of go.mod, into which it
# would bring hundreds of modules. A newer one may refuse .goreleaser.yaml: raise the
# version by a change that also passes make release-test.
set -eu

version=v2.15.1
dir="${XDG_CACHE_HOME:-$HOME/.cache}/handout/goreleaser-$version"

if [ ! -x "$dir/goreleaser" ]; then
	echo "goreleaser $version is missing: building it in $dir, which takes ten minutes and 3 GB" >&2
	mkdir -p "$dir"
	GOBIN="$dir" GOFLAGS=-trimpath CGO_ENABLED=0 go install "github.com/goreleaser/goreleaser/v2@$version" || {
		echo "goreleaser couldn't be built: is the Go module proxy reached?" >&2
		exit 1
	}
fi
echo "$dir/goreleaser"
