#!/bin/sh
# Writes the manual pages and the completions of both programs to bin/release, for
# .goreleaser.yaml.
set -eu

rm -rf bin/release
for program in handout orderhistory; do
	CGO_ENABLED=0 go run -trimpath "./cmd/$program" man bin/release
done
gzip -9n bin/release/man/*.1
